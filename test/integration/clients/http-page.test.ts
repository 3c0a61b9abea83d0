import { mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { type Shell, shellBlocks, startShell } from '../../clients/page.ts';
import { ROOT } from '../../clients/programs.ts';
import { ensureBinary } from '../../cluster/binaries.ts';
import { httpUrl } from '../../support/http.ts';
import { type Installation, install, signingKey, waitForReason } from '../../support/installation.ts';

/** docs/http.md, command by command, with the machine's curl and a real kubectl. */

const blocks = shellBlocks(readFileSync(join(ROOT, 'docs/http.md'), 'utf8'), 'http');

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

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'm2m-page-'));
  symlinkSync(await ensureBinary('kubectl'), join(dir, 'kubectl'));
  installation = await install();
  const operator = await installation.operator();
  await operator.ready();
  await waitForReason(installation.api, signingKey(), 'Active');
  shell = startShell(dir, {
    ...process.env,
    PATH: `${dir}${delimiter}${process.env.PATH}`,
    KUBECONFIG: installation.cluster.kubeconfigPath,
    M2M_HTTP: await httpUrl(operator),
  });
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
