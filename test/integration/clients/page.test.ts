import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { grpcAddress } from '../../clients/door.ts';
import { type Shell, shellBlocks, startShell } from '../../clients/page.ts';
import { ROOT } from '../../clients/programs.ts';
import { ensureBinary, isWithinReach } from '../../cluster/binaries.ts';
import { createCertificates } from '../../cluster/certificates.ts';
import { type Installation, install, signingKey, waitForReason } from '../../support/installation.ts';

/** docs/grpc.md, command by command, with the real grpcurl and kubectl. */

const suite = (await isWithinReach('grpcurl')) ? describe : describe.skip;
const markdown = readFileSync(join(ROOT, 'docs/grpc.md'), 'utf8');

let installation: Installation;
let dir: string;

beforeAll(async () => {
  if (suite === describe.skip) return;
  dir = mkdtempSync(join(tmpdir(), 'm2m-page-'));
  for (const name of ['kubectl', 'grpcurl'] as const) symlinkSync(await ensureBinary(name), join(dir, name));
  installation = await install();
}, 900_000);
afterAll(async () => {
  await installation?.close();
  if (dir) rmSync(dir, { recursive: true });
});

const environment = (address: string): NodeJS.ProcessEnv => ({
  ...process.env,
  PATH: `${dir}${delimiter}${process.env.PATH}`,
  KUBECONFIG: installation.cluster.kubeconfigPath,
  M2M_GRPC: address,
});

/** A part of each block, and what it prints. */
const EXPECTED: readonly (readonly [part: string, ...prints: readonly (string | RegExp)[]])[] = [
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
  const blocks = shellBlocks(markdown, 'grpc');
  let shell: Shell;

  beforeAll(async () => {
    const operator = await installation.operator();
    await operator.ready();
    await waitForReason(installation.api, signingKey(), 'Active');
    shell = startShell(ROOT, environment(await grpcAddress(operator)));
  }, 90_000);
  afterAll(() => shell?.end());

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
});

suite('docs/grpc.md, with mutual TLS', () => {
  test('the files that the configuration names open the door', async () => {
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
    const operator = await installation.operator({ config: { grpc: { address: '127.0.0.1:0', tls } } });
    await operator.ready();
    const shell = startShell(dir, environment(await grpcAddress(operator)));
    const blocks = shellBlocks(markdown, 'grpc-tls');
    expect(blocks).toHaveLength(1);
    for (const block of blocks) expect(await shell.run(block)).toContain('m2moauthserver.pb.M2MOAuthService');
    await shell.end();
  }, 90_000);
});
