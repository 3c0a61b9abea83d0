import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import {
  assertionClaims,
  JWT_BEARER,
  type OpenIDProvider,
  serviceAccountToken,
  startOpenIDProvider,
  type TestSigner,
  testSigner,
  unsignedJwt,
} from '../../support/assertions.ts';
import { connectGrpc, type GrpcClient, rejectionOf } from '../../support/grpc.ts';
import { type Installation, install } from '../../support/installation.ts';
import { AUDIENCE, makeClient, payloadOf, type TestClient } from './oauth-clients.ts';

/** Every rejection of CreateToken that spec §4 names, over a socket, by the compiled operator and a real API server. */

const ISSUER = 'https://localhost:9101/m2m-oauth-server';
const now = (): number => Math.floor(Date.now() / 1000);

let installation: Installation;
let namespace: string;
let grpc: GrpcClient;
let signer: TestSigner;
let otherSigner: TestSigner;
let provider: OpenIDProvider;
let untrustedProvider: OpenIDProvider;
const clients: Record<string, TestClient> = {};

const client = (name: string): TestClient => {
  const found = clients[name];
  if (!found) throw new Error(`no client ${name}`);
  return found;
};

beforeAll(async () => {
  installation = await install();
  namespace = await installation.api.createNamespace('servers');
  [signer, otherSigner, provider, untrustedProvider] = await Promise.all([
    testSigner(),
    testSigner(),
    startOpenIDProvider(),
    startOpenIDProvider(),
  ]);
  const operator = await installation.operator({
    config: { outbound: { allowedCIDRs: ['127.0.0.0/8'], caFile: provider.https.caFile } },
  });
  await operator.ready();
  grpc = await connectGrpc(operator);
  const make = async (name: string, ...rest: [object?, ...unknown[]]) => {
    clients[name] = await makeClient(installation, namespace, ...(rest as [object?]));
  };
  await Promise.all([
    make('secret'),
    make('unbounded', { spec: { accessTokenLifetime: '0s' } }),
    make('plain', { spec: { allowedAudiences: [], allowedScopes: [] } }),
    make('grantless', { spec: { allowedGrantTypes: [] } }),
    make('suspended', { spec: { suspended: true } }),
    make('methodless', { spec: { authentication: {} }, until: 'NoMethod' }),
    make('empty', { data: { client_secret: '' }, until: 'SecretInvalid' }),
    make('missing', { data: undefined, until: 'SecretInvalid' }),
    make('keyed', { spec: { authentication: { privateKeyJWT: { jwks: { keys: [signer.publicJWK] } } } } }),
    make('federated', {
      spec: {
        owner: undefined,
        authentication: {
          trustedIssuers: [
            {
              authority: provider.authority,
              audience: 'm2m',
              ownerPrefix: '',
              requiredClaims: { team: 'blue' },
            },
          ],
        },
      },
    }),
    make('workload', { spec: { authentication: { serviceAccounts: [{ namespace, name: 'workload' }] } } }),
    make('both', {
      spec: {
        authentication: {
          clientSecret: { secretRef: { name: 'both' } },
          privateKeyJWT: { jwks: { keys: [signer.publicJWK] } },
        },
      },
    }),
  ]);
}, 900_000);

afterAll(async () => {
  grpc?.close();
  await provider?.[Symbol.asyncDispose]();
  await untrustedProvider?.[Symbol.asyncDispose]();
  await installation?.close();
});

type Request = Parameters<GrpcClient['createToken']>[0];

const bySecret = (name: string, more: Request = {}): Request => ({
  grantType: 'client_credentials',
  clientId: client(name).id,
  clientSecret: client(name).secret,
  audience: [AUDIENCE],
  ...more,
});

const byAssertion = (name: string, assertion: string, more: Request = {}): Request => ({
  grantType: 'client_credentials',
  clientId: client(name).id,
  clientAssertionType: JWT_BEARER,
  clientAssertion: assertion,
  audience: [AUDIENCE],
  ...more,
});

const failureOf = async (request: Request) => rejectionOf(grpc.createToken(request));

const INVALID_CLIENT = {
  code: 'UNAUTHENTICATED',
  reason: 'invalid_client',
  // A table of failures goes beyond the limit of failures: then the text differs, and nothing else.
  message: expect.stringMatching(
    /^cannot create token: (?:client authentication failed|too many failed client authentications, try again later)$/u,
  ),
};

describe('the client', () => {
  test.each<[string, () => Request]>([
    ['a wrong secret', () => bySecret('secret', { clientSecret: 'wrong' })],
    ['an empty secret', () => bySecret('secret', { clientSecret: '' })],
    ['a secret that is another client’s', () => bySecret('secret', { clientSecret: client('plain').secret })],
    ['an unknown client', () => bySecret('secret', { clientId: 'nobody' })],
    ['no client at all', () => bySecret('secret', { clientId: '', clientSecret: '' })],
    ['a client whose stored secret is empty', () => bySecret('empty', { clientSecret: '' })],
    ['a client whose Secret is missing', () => bySecret('missing', { clientSecret: '' })],
    ['a client with no method, without a secret', () => bySecret('methodless', { clientSecret: '' })],
    ['a client with no method, with a secret', () => bySecret('methodless', { clientSecret: 'undefined' })],
    ['a client with a key, without an assertion', () => bySecret('keyed')],
    ['a client with a key and a secret, with its secret', () => bySecret('both')],
    ['a client of an issuer, without an assertion', () => bySecret('federated')],
    ['a client of a ServiceAccount, without an assertion', () => bySecret('workload')],
  ])('%s is rejected', async (_name, request) => {
    expect(await failureOf(request())).toEqual(INVALID_CLIENT);
  });

  test('the right secret is accepted after all of that', async () => {
    const created = await grpc.createToken(bySecret('secret'));
    expect(created.tokenType).toBe('Bearer');
  });
});

describe('the grant type', () => {
  test.each(['', 'authorization_code', 'password', 'CLIENT_CREDENTIALS'])(
    '%j is rejected',
    async (grantType) => {
      expect(await failureOf(bySecret('secret', { grantType }))).toMatchObject({
        code: 'UNAUTHENTICATED',
        reason: 'unsupported_grant_type',
      });
    },
  );

  test('is looked at before the client', async () => {
    expect(await failureOf({ grantType: 'password', clientId: 'nobody' })).toMatchObject({
      reason: 'unsupported_grant_type',
    });
  });

  test.each([
    ['a client without grant', 'grantless'],
    ['a suspended client', 'suspended'],
  ])('%s gets no token', async (_name, name) => {
    expect(await failureOf(bySecret(name))).toMatchObject({
      code: 'UNAUTHENTICATED',
      reason: 'unauthorized_client',
    });
  });
});

describe('expiration, audience and scope', () => {
  test.each<[string, () => Request, string]>([
    [
      'an expiration in the past',
      () => bySecret('secret', { expiration: BigInt(now() - 10) }),
      'invalid_request',
    ],
    ['an expiration that is now', () => bySecret('secret', { expiration: BigInt(now()) }), 'invalid_request'],
    [
      'an expiration beyond the maximum',
      () => bySecret('secret', { expiration: BigInt(now() + 3605) }),
      'invalid_request',
    ],
    [
      'a past expiration of an unbounded client',
      () => bySecret('unbounded', { expiration: BigInt(now() - 10) }),
      'invalid_request',
    ],
    [
      'an expiration beyond what times can say',
      () => bySecret('unbounded', { expiration: 9_000_000_000_000_000_000n }),
      'invalid_request',
    ],
    [
      'an audience that is not allowed',
      () => bySecret('secret', { audience: ['https://other'] }),
      'invalid_target',
    ],
    [
      'one audience of two that is not allowed',
      () => bySecret('secret', { audience: [AUDIENCE, 'https://other'] }),
      'invalid_target',
    ],
    ['an audience that is missing', () => bySecret('secret', { audience: [] }), 'invalid_target'],
    ['any audience, where none is allowed', () => bySecret('plain'), 'invalid_target'],
    ['a scope that is not allowed', () => bySecret('secret', { scope: ['admin'] }), 'invalid_scope'],
    [
      'any scope, where none is allowed',
      () => bySecret('plain', { audience: [], scope: ['read'] }),
      'invalid_scope',
    ],
  ])('%s is rejected', async (_name, request, reason) => {
    const found = await failureOf(request());
    expect(found).toMatchObject({ code: 'UNAUTHENTICATED', reason });
    expect(found.message).toMatch(/^cannot create token: /u);
  });

  test('an absent scope is all that the client allows', async () => {
    const created = await grpc.createToken(bySecret('secret'));
    expect(created.scope).toEqual(['read', 'write']);
    expect(payloadOf(created.accessToken).scope).toBe('read write');
  });

  test('an absent or negative expiration is the client’s maximum', async () => {
    for (const expiration of [0n, -5n]) {
      const created = await grpc.createToken(bySecret('secret', { expiration }));
      expect(Number(created.expiresIn)).toBeGreaterThan(3590);
      expect(Number(created.expiresIn)).toBeLessThanOrEqual(3600);
    }
  });

  test('an unbounded client’s token never expires, and says 0', async () => {
    const created = await grpc.createToken(bySecret('unbounded'));
    expect(created.expiresIn).toBe(0n);
    expect(payloadOf(created.accessToken)).not.toHaveProperty('exp');
  });

  test('an expiration within the maximum is kept to the second', async () => {
    const expiration = now() + 60;
    const created = await grpc.createToken(bySecret('secret', { expiration: BigInt(expiration) }));
    expect(payloadOf(created.accessToken).exp).toBe(expiration);
  });
});

describe('the client’s own assertion', () => {
  const claims = (changes: object = {}) => assertionClaims(client('keyed').id, ISSUER, { ...changes });

  test.each<[string, () => Promise<string> | string]>([
    ['an expired one', () => signer.sign(claims({ exp: now() - 60 }))],
    ['one without expiration', () => signer.sign(claims({ exp: undefined }))],
    ['an assertion that expires too late', () => signer.sign(claims({ exp: now() + 600 }))],
    ['one for another audience', () => signer.sign(claims({ aud: 'https://other' }))],
    ['one for several audiences', () => signer.sign(claims({ aud: [ISSUER, 'https://other'] }))],
    [
      'one for the token endpoint, where that is not accepted',
      () => signer.sign(claims({ aud: `${ISSUER}/oauth/token` })),
    ],
    ['an assertion signed by another key', () => otherSigner.sign(claims(), { kid: signer.kid })],
    ['one with alg none', () => unsignedJwt(claims(), { kid: signer.kid })],
    [
      'one whose algorithm does not fit the key',
      async () => (await testSigner('RS256')).sign(claims(), { kid: signer.kid }),
    ],
    ['one without jti', () => signer.sign(claims({ jti: undefined }))],
    ['an assertion of another subject', () => signer.sign(claims({ sub: 'dave' }))],
    ['an assertion with an unknown critical header', () => signer.sign(claims(), { crit: ['x'], x: 1 })],
    ['garbage', () => 'x.y.z'],
  ])('%s is rejected', async (_name, make) => {
    expect(await failureOf(byAssertion('keyed', await make()))).toEqual(INVALID_CLIENT);
  });

  test('another assertion type is rejected', async () => {
    const assertion = await signer.sign(claims());
    const request = byAssertion('keyed', assertion, { clientAssertionType: 'urn:other' });
    expect(await failureOf(request)).toMatchObject({ code: 'UNAUTHENTICATED', reason: 'invalid_client' });
  });

  test('is accepted once, and rejected when it is replayed', async () => {
    const assertion = await signer.sign(claims());
    const created = await grpc.createToken(byAssertion('keyed', assertion));
    expect(payloadOf(created.accessToken)).toMatchObject({ client_id: client('keyed').id });
    expect(await failureOf(byAssertion('keyed', assertion))).toEqual(INVALID_CLIENT);
  });
});

describe('an assertion of another issuer', () => {
  const issue = (changes: object = {}) => provider.issue('m2m', { team: 'blue', ...changes });

  test.each<[string, () => Promise<string> | string]>([
    ['an expired one', () => issue({ exp: now() - 60 })],
    ['one without subject', () => issue({ sub: undefined })],
    ['one for another audience', () => provider.issue('other', { team: 'blue' })],
    ['a token without a required claim', () => provider.issue('m2m')],
    [
      'a token signed by another key',
      () => otherSigner.sign(assertionClaims(provider.authority, 'm2m', { team: 'blue' })),
    ],
    ['one with alg none', () => unsignedJwt(assertionClaims(provider.authority, 'm2m', { team: 'blue' }))],
    ['one of an issuer that is not trusted', () => untrustedProvider.issue('m2m', { team: 'blue' })],
  ])('%s is rejected', async (_name, make) => {
    expect(await failureOf(byAssertion('federated', await make()))).toEqual(INVALID_CLIENT);
  });

  test('one without expiration is rejected, and its owner learns why', async () => {
    const failure = await failureOf(byAssertion('federated', await issue({ exp: undefined })));
    const message =
      'cannot create token: the assertion is signed by a trusted issuer, but it has no exp, which is required';
    expect(failure).toEqual({ ...INVALID_CLIENT, message });
  });

  test('gives owner, subject and original claims', async () => {
    const created = await grpc.createToken(byAssertion('federated', await issue()));
    expect(payloadOf(created.accessToken)).toMatchObject({
      sub: 'dave',
      originalTokenClaims: { email: 'dave@example.com', team: 'blue' },
    });
  });
});

describe('a projected ServiceAccount token', () => {
  const account = (name: string) => ({ namespace, name });

  test.each<[string, () => Promise<string>]>([
    [
      'one for the API server’s own audience',
      () => serviceAccountToken(installation.api, account('workload')),
    ],
    [
      'one for another audience',
      () => serviceAccountToken(installation.api, account('workload'), ['https://other']),
    ],
    [
      'one of another ServiceAccount',
      () => serviceAccountToken(installation.api, account('other'), [ISSUER]),
    ],
    [
      'a token signed by another key',
      async () =>
        otherSigner.sign(
          assertionClaims('https://kubernetes.default.svc', ISSUER, {
            sub: `system:serviceaccount:${namespace}:workload`,
          }),
        ),
    ],
  ])('%s is rejected', async (_name, make) => {
    expect(await failureOf(byAssertion('workload', await make()))).toEqual(INVALID_CLIENT);
  });

  test('makes a token whose subject is the ServiceAccount', async () => {
    const assertion = await serviceAccountToken(installation.api, account('workload'), [ISSUER]);
    const created = await grpc.createToken(byAssertion('workload', assertion));
    expect(payloadOf(created.accessToken).client_id).toBe(client('workload').id);
  });
});

test('malformed requests are INVALID_ARGUMENT', async () => {
  for (const request of [
    bySecret('secret', { clientId: 'x'.repeat(1000) }),
    bySecret('secret', { clientSecret: 'x'.repeat(10_000) }),
    bySecret('secret', { audience: Array.from({ length: 1000 }, (_, at) => `a-${at}`) }),
    bySecret('secret', { scope: ['x'.repeat(1000)] }),
    byAssertion('keyed', 'x'.repeat(60_000)),
  ]) {
    expect(await failureOf(request)).toMatchObject({ code: 'INVALID_ARGUMENT' });
  }
});

test('a request of more than 68 KiB is RESOURCE_EXHAUSTED', async () => {
  const request = byAssertion('keyed', 'x'.repeat(70_000));
  expect(await failureOf(request)).toMatchObject({ code: 'RESOURCE_EXHAUSTED' });
});
