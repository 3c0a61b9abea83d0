import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { grpcAddress } from '../../clients/grpc-server.ts';
import { type Shell, shellBlocks, startShell } from '../../clients/page.ts';
import {
  type Expectation,
  followPage,
  type PageEnv,
  preparePageEnv,
  writeMutualTls,
} from '../../clients/page-suite.ts';
import { ROOT } from '../../clients/programs.ts';
import { type Installation, install, signingKey, waitForReason } from '../../support/installation.ts';
import { suiteUnless, whyMissing } from '../../support/suite-unless.ts';

/** docs/grpc.md, command by command, with the real grpcurl and kubectl. */

const missing = await whyMissing('grpcurl', 'kubectl');
const suite = suiteUnless(missing);
const markdown = readFileSync(join(ROOT, 'docs/grpc.md'), 'utf8');

let installation: Installation;
let env: PageEnv;

beforeAll(async () => {
  if (missing !== undefined) return;
  env = await preparePageEnv(['kubectl', 'grpcurl'], () => installation.cluster.kubeconfigPath);
  installation = await install();
}, 900_000);
afterAll(async () => {
  await installation?.close();
  env?.remove();
});

const EXPECTED: readonly Expectation[] = [
  ['"$M2M_GRPC" list', 'grpc.health.v1.Health\n', 'm2moauthserver.pb.M2MOAuthService\n', 'rpc CreateToken'],
  ['name: nightly,', 'oauthclient.m2moauth.dev/nightly created', 'condition met'],
  ['"token_name": "nightly report"', /nightly\s+nightly/u],
  ['/GetTokens', '"name": "nightly report"'],
  ['/DeleteTokens', '"blacklistedCount": "1"', /true/u],
  ['kubectl create token worker', 'Bearer'],
  ['"client_secret": "guessed"', '"reason": "invalid_client"'],
  ['grpc.health.v1.Health/Check', '"status": "SERVING"'],
  ['-import-path proto', 'bool include_blacklisted = 2;'],
];

suite('docs/grpc.md', () => {
  let shell: Shell;

  beforeAll(async () => {
    const operator = await installation.operator();
    await operator.ready();
    await waitForReason(installation.api, signingKey(), 'Active');
    shell = startShell(ROOT, env.env({ M2M_GRPC: await grpcAddress(operator) }));
  }, 90_000);
  afterAll(() => shell?.end());

  followPage({ blocks: shellBlocks(markdown, 'grpc'), expected: EXPECTED, shell: () => shell });
});

suite('docs/grpc.md, with mutual TLS', () => {
  test('the files that the configuration names open the server', async () => {
    const tls = await writeMutualTls(env.dir);
    const operator = await installation.operator({ config: { grpc: { address: '127.0.0.1:0', tls } } });
    await operator.ready();
    const shell = startShell(env.dir, env.env({ M2M_GRPC: await grpcAddress(operator) }));
    const blocks = shellBlocks(markdown, 'grpc-tls');
    expect(blocks).toHaveLength(1);
    for (const block of blocks) expect(await shell.run(block)).toContain('m2moauthserver.pb.M2MOAuthService');
    await shell.end();
  }, 90_000);
});
