import { generateKeyPairSync } from 'node:crypto';
import { cpSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { calculateJwkThumbprint, exportJWK } from 'jose';
import { type Shell, shellBlocks, startShell } from '../../clients/page.ts';
import { type Expectation, followPage, type PageEnv, preparePageEnv } from '../../clients/page-suite.ts';
import { ROOT } from '../../clients/programs.ts';
import { bodyOf } from '../../support/api.ts';
import { eventually } from '../../support/eventually.ts';
import { type Installation, install, SYSTEM, signingKey } from '../../support/installation.ts';

/** docs/migrate.md, command by command, in a separate checkout; `make e2e` runs the block with the image. */

const markdown = readFileSync(join(ROOT, 'docs/migrate.md'), 'utf8');

const EXPECTED: readonly Expectation[] = [
  ['node dist/main.js migrate'],
  ['get m2mclient', 'oauthclient.m2moauth.dev/nightly serverside-applied', /^nightly +Nightly/mu],
  ['--from-file=tls.key=private.key', 'secret/old-key created', 'signingkey.m2moauth.dev/old created'],
];

const CONFIGURATION = `
oauthSigner:
  domain: tokens.example.com
  clients:
    - id: Nightly
      secretFile: /secrets/nightly
      owner: nightly
      allowedGrantTypes: [client_credentials]
      allowedAudiences: [https://api.example.com]
`;

const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });

let installation: Installation;
let env: PageEnv;
let shell: Shell;

/** What `npm run build` takes, copied: it empties dist/, which other tests use. */
const checkOut = (dir: string): void => {
  for (const name of ['operator', 'package.json', 'tsconfig.json', 'tsconfig.build.json'])
    cpSync(join(ROOT, name), join(dir, name), { recursive: true });
  symlinkSync(join(ROOT, 'node_modules'), join(dir, 'node_modules'));
  writeFileSync(join(dir, 'config.yaml'), CONFIGURATION);
  writeFileSync(join(dir, 'private.key'), privateKey.export({ type: 'pkcs8', format: 'pem' }));
};

beforeAll(async () => {
  env = await preparePageEnv(['kubectl'], () => installation.cluster.kubeconfigPath);
  checkOut(env.dir);
  installation = await install();
  const operator = await installation.operator();
  await operator.ready();
  shell = startShell(env.dir, env.env());
}, 900_000);
afterAll(async () => {
  await shell?.end();
  await installation?.close();
  env?.remove();
});

followPage({ blocks: shellBlocks(markdown, 'migrate'), expected: EXPECTED, shell: () => shell });

test('the key that it brings is in use under its thumbprint', async () => {
  const thumbprint = await calculateJwkThumbprint(await exportJWK(publicKey));
  const jwks = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'old-jwks', namespace: SYSTEM } };
  await eventually(async () => {
    const { data } = bodyOf(await installation.api.get(jwks));
    return JSON.parse(data['jwks.json']).keys.some(({ kid }: { kid: string }) => kid === thumbprint);
  });
  // The key set is published before the status has it.
  await eventually(async () => {
    const { status = {} } = bodyOf(await installation.api.get(signingKey('old')));
    expect(JSON.stringify(status)).toContain(thumbprint);
  });
});
