import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { codeBlock, type Shell, shellBlocks, startShell } from '../../clients/page.ts';
import {
  type Expectation,
  followPage,
  type PageEnv,
  preparePageEnv,
  writeMutualTls,
} from '../../clients/page-suite.ts';
import { ROOT } from '../../clients/programs.ts';
import { httpUrl } from '../../support/http.ts';
import { type Installation, install, signingKey, waitForReason } from '../../support/installation.ts';

/** docs/http.md, command by command, with the machine's curl and a real kubectl. */

const markdown = readFileSync(join(ROOT, 'docs/http.md'), 'utf8');

const EXPECTED: readonly Expectation[] = [
  ['openid-configuration', '"issuer":"https://localhost:9101/m2m-oauth-server"', '"kty":"EC"'],
  ['name: weekly,', 'oauthclient.m2moauth.dev/weekly created', 'condition met'],
  ['/oauth/token" <<<', /weekly\s+weekly/u],
  ['/api/v1/tokens" <<<', /"active":true/u, /\{"result":\{"id":"/u],
  ['/oauth/revoke"', '{"active":false}'],
  ['client_secret=guessed', '"error":"invalid_client"', '"code":16'],
];

let installation: Installation;
let env: PageEnv;
let shell: Shell;

beforeAll(async () => {
  env = await preparePageEnv(['kubectl'], () => installation.cluster.kubeconfigPath);
  installation = await install();
  const operator = await installation.operator();
  await operator.ready();
  await waitForReason(installation.api, signingKey(), 'Active');
  shell = startShell(env.dir, env.env({ M2M_HTTP: await httpUrl(operator) }));
}, 900_000);
afterAll(async () => {
  await shell?.end();
  await installation?.close();
  env?.remove();
});

followPage({ blocks: shellBlocks(markdown, 'http'), expected: EXPECTED, shell: () => shell });

test('with mutual TLS the files that the configuration names open the server', async () => {
  const tls = await writeMutualTls(env.dir);
  const operator = await installation.operator({ config: { http: { address: '127.0.0.1:0', tls } } });
  await operator.ready();
  const url = (await httpUrl(operator)).replace('http:', 'https:');
  const secured = startShell(env.dir, env.env({ M2M_HTTP: url }));
  expect(await secured.run(codeBlock(markdown, 'http-tls', 'sh'))).toContain('"kty"');
  await secured.end();
}, 90_000);
