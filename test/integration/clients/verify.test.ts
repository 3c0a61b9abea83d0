import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { AUDIENCE, makeSecretClient, type SecretClient } from '../../clients/http-clients.ts';
import { type HttpServerProcess, startHttpServer } from '../../clients/http-server.ts';
import { obtainToken, revokeToken, tampered } from '../../clients/http-token.ts';
import { findNginx, type Nginx } from '../../clients/nginx.ts';
import { type Shell, shellBlocks, startShell } from '../../clients/page.ts';
import { type Expectation, followPage, type PageEnv, preparePageEnv } from '../../clients/page-suite.ts';
import { ROOT } from '../../clients/programs.ts';
import {
  startGoVerifier,
  startNginxVerifier,
  startNodeVerifier,
  type Verifier,
} from '../../clients/verifiers.ts';
import { eventually } from '../../support/eventually.ts';
import { type Installation, install } from '../../support/installation.ts';
import { suiteUnless, whyMissing } from '../../support/suite-unless.ts';

/** docs/verify.md: its commands, and its APIs with real tokens, valid and invalid. */

const ELSEWHERE = 'https://elsewhere.example.com';
const page = await readFile(join(ROOT, 'docs/verify.md'), 'utf8');
const nginx = await findNginx();

let installation: Installation;
let server: HttpServerProcess;
let client: SecretClient;
let introspecting: SecretClient;

beforeAll(async () => {
  installation = await install();
  const { server: opened, prepared } = await startHttpServer(installation, {
    prepare: async () => {
      const place = { api: installation.api, namespace: await installation.api.createNamespace('verify') };
      const introspection = { policy: 'Audience', audiences: [AUDIENCE] };
      return Promise.all([
        makeSecretClient(place, 'caller', { spec: { allowedAudiences: [AUDIENCE, ELSEWHERE] } }),
        makeSecretClient(place, 'gateway', { spec: { allowedGrantTypes: [], introspection } }),
      ]);
    },
  });
  server = opened;
  [client, introspecting] = prepared;
}, 240_000);
afterAll(async () => {
  await server?.close();
  await installation?.close();
});

interface VerifierRow {
  readonly name: string;
  readonly start: () => Promise<Verifier>;
  /** Why it can't be run here. */
  readonly missing: string | undefined;
  /** Whether it observes a revocation. */
  readonly asks: boolean;
}

const VERIFIERS: readonly VerifierRow[] = [
  {
    name: 'Node',
    start: () => startNodeVerifier({ page, place: server }),
    missing: undefined,
    asks: false,
  },
  {
    name: 'Go',
    start: () => startGoVerifier({ page, place: server }),
    missing: await whyMissing('verifier'),
    asks: false,
  },
  {
    name: 'NGINX',
    start: () => startNginxVerifier(nginx as Nginx, introspecting, { page, place: server }),
    missing: nginx
      ? undefined
      : 'there is no NGINX with its JavaScript module; `make programs` unpacks one where there is apt-get',
    asks: true,
  },
];

for (const { name, start, missing, asks } of VERIFIERS) {
  suiteUnless(missing)(`docs/verify.md, an API in ${name}`, () => {
    let verifier: Verifier;

    beforeAll(async () => {
      verifier = await start();
    }, 120_000);
    afterAll(() => verifier?.stop());

    const obtain = (parameters: Readonly<Record<string, string>> = {}): Promise<string> =>
      obtainToken(server, client, { audience: AUDIENCE, ...parameters });
    const statusFor = async (jwt?: string): Promise<number> => (await verifier.ask(jwt)).status;

    test('accepts a valid token, and knows whose it is', async () => {
      expect(await verifier.ask(await obtain())).toEqual({ status: 200, text: `hello, ${client.id}\n` });
    });

    test('rejects a request without a token, a text that is no JWT, and a changed JWT', async () => {
      expect(await statusFor()).toBe(401);
      expect(await statusFor('guessed')).toBe(401);
      expect(await statusFor(tampered(await obtain()))).toBe(401);
    });

    test('rejects one for another audience', async () => {
      expect(await statusFor(await obtain({ audience: ELSEWHERE }))).toBe(401);
    });

    test('rejects one that has expired', async () => {
      const jwt = await obtain({ expiration: String(Math.ceil(Date.now() / 1000) + 2) });
      expect(await statusFor(jwt)).toBe(200);
      await eventually(async () => (await statusFor(jwt)) === 401, { intervalMs: 100 });
    });

    test(asks ? 'rejects a revoked token' : 'accepts a revoked token until it expires', async () => {
      const jwt = await obtain();
      await revokeToken(server, client, jwt);
      expect(await statusFor(jwt)).toBe(asks ? 401 : 200);
    });
  });
}

const EXPECTED: readonly Expectation[] = [
  ['jwks.json', '"kty":"EC"', '"alg":"ES256"'],
  ['policy: Audience', 'oauthclient.m2moauth.dev/orders-api created', 'condition met'],
  ['/oauth/introspect', '"active":true', '"client_id":"caller"'],
  ['/api/v1/tokens', /^\{"result":\{.*"clientId":"caller"/mu],
];

describe('docs/verify.md, command by command', () => {
  let env: PageEnv;
  let shell: Shell;

  beforeAll(async () => {
    env = await preparePageEnv(['kubectl'], () => installation.cluster.kubeconfigPath);
    const ACCESS_TOKEN = await obtainToken(server, client, { audience: AUDIENCE });
    shell = startShell(env.dir, env.env({ M2M_ISSUER: server.issuer, M2M_CA: server.caFile, ACCESS_TOKEN }));
  }, 600_000);
  afterAll(async () => {
    await shell?.end();
    env?.remove();
  });

  followPage({ blocks: shellBlocks(page, 'verify'), expected: EXPECTED, shell: () => shell });
});
