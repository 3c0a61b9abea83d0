import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { type Shell, shellBlocks, startShell } from '../../clients/page.ts';
import { ROOT } from '../../clients/programs.ts';
import { ensureBinary } from '../../cluster/binaries.ts';
import { createCertificates } from '../../cluster/certificates.ts';
import { httpUrl } from '../../support/http.ts';
import { type Installation, install, signingKey, waitForReason } from '../../support/installation.ts';

/** docs/http.md, command by command, with the machine's curl and a real kubectl. */

const markdown = readFileSync(join(ROOT, 'docs/http.md'), 'utf8');
const blocks = shellBlocks(markdown, 'http');

/** A part of each block, and what it prints. */
const EXPECTED: readonly (readonly [part: string, ...prints: readonly (string | RegExp)[]])[] = [
  ['openid-configuration', '"issuer":"https://localhost:9101/m2m-oauth-server"', '"kty":"EC"'],
  ['name: weekly,', 'oauthclient.m2moauth.dev/weekly created', 'condition met'],
  ['/oauth/token" <<<', /weekly\s+weekly/u],
  ['/api/v1/tokens" <<<', /"active":true/u, /\{"result":\{"id":"/u],
  ['/oauth/revoke"', '{"active":false}'],
  ['client_secret=guessed', '"error":"invalid_client"', '"code":16'],
];

let installation: Installation;
let dir: string;
let shell: Shell;

const environment = (url: string): NodeJS.ProcessEnv => ({
  ...process.env,
  PATH: `${dir}${delimiter}${process.env.PATH}`,
  KUBECONFIG: installation.cluster.kubeconfigPath,
  M2M_HTTP: url,
});

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'm2m-page-'));
  symlinkSync(await ensureBinary('kubectl'), join(dir, 'kubectl'));
  installation = await install();
  const operator = await installation.operator();
  await operator.ready();
  await waitForReason(installation.api, signingKey(), 'Active');
  shell = startShell(dir, environment(await httpUrl(operator)));
}, 900_000);
afterAll(async () => {
  await shell?.end();
  await installation?.close();
  if (dir) rmSync(dir, { recursive: true });
});

test('every block of it is expected to print something, in this order', () => {
  const places = blocks.map((block) => EXPECTED.findIndex(([part]) => block.includes(part)));
  expect(places).toEqual(EXPECTED.map((_, place) => place));
});

test.each(EXPECTED)(
  'the block with %s',
  async (part, ...prints) => {
    const printed = await shell.run(blocks.find((block) => block.includes(part)) ?? 'false');
    for (const text of prints) expect(printed).toMatch(text);
  },
  60_000,
);

test('with mutual TLS the files that the configuration names open the door', async () => {
  const { ca, serving, admin } = await createCertificates(['127.0.0.1']);
  const files = {
    'ca.crt': ca,
    'tls.crt': serving.certificate,
    'tls.key': serving.key,
    'client.crt': admin.certificate,
    'client.key': admin.key,
  };
  for (const [name, pem] of Object.entries(files)) writeFileSync(join(dir, name), pem, { mode: 0o600 });
  const tls = {
    certFile: join(dir, 'tls.crt'),
    keyFile: join(dir, 'tls.key'),
    caFile: join(dir, 'ca.crt'),
    clientCertificateRequired: true,
  };
  const operator = await installation.operator({ config: { http: { address: '127.0.0.1:0', tls } } });
  await operator.ready();
  const secured = startShell(dir, environment((await httpUrl(operator)).replace('http:', 'https:')));
  const [block = 'false', ...more] = shellBlocks(markdown, 'http-tls');
  expect(more).toEqual([]);
  expect(await secured.run(block)).toContain('"kty"');
  await secured.end();
}, 90_000);
