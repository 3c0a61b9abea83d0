import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { bodyOf } from '../../support/api.ts';
import { assertionClaims, startOpenIDProvider, testSigner } from '../../support/assertions.ts';
import { eventually } from '../../support/eventually.ts';
import { connectGrpc, type GrpcClient, rejectionOf } from '../../support/grpc.ts';
import {
  GROUP_VERSION,
  type Installation,
  install,
  oauthClient,
  SYSTEM,
  signingKey,
} from '../../support/installation.ts';
import {
  AUDIENCE,
  createToken,
  headerOf,
  ISSUER,
  idOf,
  makeClient,
  payloadOf,
  type TestClient,
} from './oauth-clients.ts';

/** Which bearers GetTokens and DeleteTokens take: over a socket, by the compiled operator and a real API server. */

let installation: Installation;
let namespace: string;
let grpc: GrpcClient;

beforeAll(async () => {
  installation = await install();
  namespace = await installation.api.createNamespace('bearers');
  const operator = await installation.operator();
  await operator.ready();
  grpc = await connectGrpc(operator);
}, 900_000);

afterAll(async () => {
  grpc?.close();
  await installation?.close();
});

const REJECTED = { code: 'UNAUTHENTICATED' };

const tokenOf = (client: TestClient, more: { expiration?: bigint } = {}): Promise<string> =>
  createToken(grpc, client, more);

const accepts = async (jwt: string): Promise<void> => {
  const found = await grpc.getTokens(`Bearer ${jwt}`, { idFilter: [idOf(jwt)] });
  expect(found.map(({ id }) => id)).toEqual([idOf(jwt)]);
};
/** Both calls that need a bearer reject it, and nothing becomes of the token. */
const expectRejected = async (authorization: string | undefined): Promise<void> => {
  expect(await rejectionOf(grpc.getTokens(authorization))).toMatchObject(REJECTED);
  expect(await rejectionOf(grpc.deleteTokens(authorization, []))).toMatchObject(REJECTED);
};

test.each<[string, string | undefined]>([
  ['none', undefined],
  ['an empty one', ''],
  ['a scheme alone', 'Bearer'],
  ['another scheme', 'Basic Zm9vOmJhcg=='],
  ['garbage', 'Bearer garbage'],
  ['garbage in three parts', 'Bearer a.b.c'],
  ['two in one', 'Bearer a.b.c d.e.f'],
])('%s is rejected', async (_name, authorization) => {
  await expectRejected(authorization);
});

test('a valid bearer is accepted, whatever the case of its scheme', async () => {
  const jwt = await tokenOf(await makeClient(installation, namespace));
  await accepts(jwt);
  for (const scheme of ['bearer', 'BEARER']) {
    expect(await grpc.getTokens(`${scheme} ${jwt}`)).toHaveLength(1);
  }
});

const NONE = { blacklistedCount: 0n, deletedCount: 0n };

describe('a token that was sent to an API', () => {
  let api: string;
  let own: string;
  beforeEach(async () => {
    const client = await makeClient(installation, namespace);
    api = await tokenOf(client);
    own = await createToken(grpc, client, { audience: [ISSUER] });
  });

  test('lists itself and nothing else of its owner', async () => {
    await accepts(api);
    for (const idFilter of [[], [idOf(api), idOf(own)]]) {
      const found = await grpc.getTokens(`Bearer ${api}`, { idFilter, includeBlacklisted: true });
      expect(found.map(({ id }) => id)).toEqual([idOf(api)]);
    }
    expect(await grpc.getTokens(`Bearer ${api}`, { idFilter: [idOf(own)] })).toEqual([]);
  });

  test('revokes nothing else of its owner by id', async () => {
    expect(await grpc.deleteTokens(`Bearer ${api}`, [idOf(own)])).toEqual(NONE);
    await accepts(own);
    await accepts(api);
  });

  test('revokes itself, where it would revoke all', async () => {
    expect(await grpc.deleteTokens(`Bearer ${api}`, [])).toEqual({ ...NONE, blacklistedCount: 1n });
    await expectRejected(`Bearer ${api}`);
    await accepts(own);
  });

  test('is listed and revoked by one that names the issuer as its audience', async () => {
    const found = await grpc.getTokens(`Bearer ${own}`);
    expect(found.map(({ id }) => id)).toEqual([idOf(api), idOf(own)].sort());
    expect(await grpc.deleteTokens(`Bearer ${own}`, [])).toEqual({ ...NONE, blacklistedCount: 2n });
  });
});

test('a token without audience lists and revokes all tokens of its owner', async () => {
  const client = await makeClient(installation, namespace, { spec: { allowedAudiences: [] } });
  const [jwt, other] = [
    await createToken(grpc, client, { audience: [] }),
    await createToken(grpc, client, { audience: [] }),
  ];
  expect(payloadOf(jwt)).not.toHaveProperty('aud');
  const found = await grpc.getTokens(`Bearer ${jwt}`);
  expect(found.map(({ id }) => id)).toEqual([idOf(jwt), idOf(other)].sort());
  expect(await grpc.deleteTokens(`Bearer ${jwt}`, [])).toEqual({ ...NONE, blacklistedCount: 2n });
});

test('with the configured audience, tokens for that API list and revoke all tokens of their owner', async () => {
  const operator = await installation.operator({
    config: { authorization: { issuedTokens: { audience: AUDIENCE } } },
  });
  await operator.ready();
  const calls = await connectGrpc(operator);
  const client = await makeClient(installation, namespace);
  const [jwt, other] = [await tokenOf(client), await tokenOf(client)];
  const expected = [idOf(jwt), idOf(other)].sort();
  await eventually(async () => {
    expect((await calls.getTokens(`Bearer ${jwt}`)).map(({ id }) => id)).toEqual(expected);
  });
  const elsewhere = await createToken(grpc, client, { audience: [ISSUER] });
  expect(await rejectionOf(calls.getTokens(`Bearer ${elsewhere}`))).toMatchObject(REJECTED);
  calls.close();
});

test('a JWT signed by another key is rejected, whatever it contains', async () => {
  const client = await makeClient(installation, namespace);
  const genuine = await tokenOf(client);
  const otherSigner = await testSigner();
  const kid = String(headerOf(genuine).kid);
  await expectRejected(`Bearer ${await otherSigner.sign(payloadOf(genuine), { kid })}`);
  await expectRejected(`Bearer ${await otherSigner.sign(payloadOf(genuine))}`);
  const [header, payload] = genuine.split('.');
  await expectRejected(`Bearer ${header}.${payload}.`);
  const none = Buffer.from(JSON.stringify({ alg: 'none', kid })).toString('base64url');
  await expectRejected(`Bearer ${none}.${payload}.`);
});

test('a bearer of another issuer is rejected', async () => {
  await using provider = await startOpenIDProvider();
  await expectRejected(`Bearer ${await provider.issue(ISSUER)}`);
  const otherSigner = await testSigner();
  await expectRejected(
    `Bearer ${await otherSigner.sign(assertionClaims('https://other.example.com', ISSUER))}`,
  );
});

test('an expired one is rejected', async () => {
  const client = await makeClient(installation, namespace);
  const jwt = await tokenOf(client, { expiration: BigInt(Math.floor(Date.now() / 1000) + 2) });
  await accepts(jwt);
  await eventually(
    async () => (await rejectionOf(grpc.getTokens(`Bearer ${jwt}`))).code === 'UNAUTHENTICATED',
  );
  expect(Math.floor(Date.now() / 1000)).toBeGreaterThanOrEqual(Number(payloadOf(jwt).exp));
  await expectRejected(`Bearer ${jwt}`);
});

test.each([
  ['by its owner', async (jwt: string) => void (await grpc.deleteTokens(`Bearer ${jwt}`, [idOf(jwt)]))],
  [
    'by a patch of spec.revoked',
    async (jwt: string) =>
      void bodyOf(await installation.api.patch(issued(jwt), 'merge', { spec: { revoked: true } })),
  ],
  [
    'by a patch of its status',
    async (jwt: string) => {
      const blacklisted = { flag: true, timestamp: new Date().toISOString() };
      const patch = { status: { blacklisted } };
      bodyOf(await installation.api.patch(issued(jwt), 'merge', patch, { subresource: 'status' }));
    },
  ],
  ['by deleting its record', async (jwt: string) => void bodyOf(await installation.api.delete(issued(jwt)))],
])('one that was revoked %s is rejected', async (_name, revoke) => {
  const jwt = await tokenOf(await makeClient(installation, namespace));
  await accepts(jwt);
  await revoke(jwt);
  await eventually(
    async () => (await rejectionOf(grpc.getTokens(`Bearer ${jwt}`))).code === 'UNAUTHENTICATED',
  );
  await expectRejected(`Bearer ${jwt}`);
});

const issued = (jwt: string) => ({
  apiVersion: GROUP_VERSION,
  kind: 'IssuedToken',
  metadata: { name: idOf(jwt), namespace },
});

test('one of a suspended client is rejected while that lasts', async () => {
  const client = await makeClient(installation, namespace);
  const jwt = await tokenOf(client);
  const suspend = async (suspended: boolean) =>
    bodyOf(
      await installation.api.patch(oauthClient(client.name, namespace), 'merge', { spec: { suspended } }),
    );
  await suspend(true);
  await eventually(
    async () => (await rejectionOf(grpc.getTokens(`Bearer ${jwt}`))).code === 'UNAUTHENTICATED',
  );
  await expectRejected(`Bearer ${jwt}`);
  await suspend(false);
  await eventually(() => accepts(jwt));
});

test('one of a client that was made again under the same name is rejected, and its record collected', async () => {
  const client = await makeClient(installation, namespace);
  const jwt = await tokenOf(client);
  await accepts(jwt);
  const ref = oauthClient(client.name, namespace);
  const { spec } = bodyOf(await installation.api.get(ref));
  bodyOf(await installation.api.delete(ref));
  bodyOf(await installation.api.create({ ...ref, spec }));
  await eventually(async () => bodyOf(await installation.api.get(ref)).status?.clientID === client.id, {
    timeoutMs: 30_000,
  });
  await expectRejected(`Bearer ${jwt}`);
  await eventually(async () => (await installation.api.get(issued(jwt))).status === 404, {
    timeoutMs: 30_000,
  });
  await expectRejected(`Bearer ${jwt}`);
});

const rotate = async (): Promise<void> => {
  const value = String(Date.now());
  const annotations = { 'm2moauth.dev/rotate': value };
  bodyOf(await installation.api.patch(signingKey(), 'merge', { metadata: { annotations } }));
  await eventually(
    async () => bodyOf(await installation.api.get(signingKey())).status.lastHandledRotate === value,
    { timeoutMs: 60_000 },
  );
};

const phaseOf = async (kid: unknown): Promise<string | undefined> =>
  bodyOf(await installation.api.get(signingKey())).status.keys?.find(
    (key: { kid: string }) => key.kid === kid,
  )?.phase;

test('one of a retired key is accepted, and rejected once the key is compromised', async () => {
  const client = await makeClient(installation, namespace);
  const jwt = await tokenOf(client);
  const { kid } = headerOf(jwt);
  await rotate();
  await eventually(async () => (await phaseOf(kid)) === 'Retired', { timeoutMs: 60_000 });
  await accepts(jwt);
  const later = await eventually(
    async () => {
      const another = await tokenOf(client);
      if (headerOf(another).kid === kid) throw new Error('the retired key still signs');
      return another;
    },
    { timeoutMs: 30_000 },
  );
  const { spec } = bodyOf(await installation.api.get(signingKey()));
  const compromised = [...(spec.compromised ?? []), kid];
  bodyOf(await installation.api.patch(signingKey(), 'merge', { spec: { compromised } }));
  await eventually(
    async () => (await rejectionOf(grpc.getTokens(`Bearer ${jwt}`))).code === 'UNAUTHENTICATED',
  );
  await expectRejected(`Bearer ${jwt}`);
  await accepts(later);
  const record = await eventually(
    async () => {
      const found = bodyOf(await installation.api.get(issued(jwt)));
      return found.status?.blacklisted ? found : false;
    },
    { timeoutMs: 30_000 },
  );
  expect(record).toMatchObject({ status: { blacklisted: { flag: true } } });
}, 180_000);

test('one of a key that is gone is rejected, though its record is there', async () => {
  const { api } = installation;
  const jwt = await tokenOf(await makeClient(installation, namespace));
  const { kid } = headerOf(jwt);
  bodyOf(await api.delete(signingKey()));
  const secrets = bodyOf(
    await api.list({ apiVersion: 'v1', kind: 'Secret', metadata: { namespace: SYSTEM } }),
  ).items.filter(({ metadata }) => metadata.labels?.['m2moauth.dev/signing-key'] !== undefined);
  expect(secrets.length).toBeGreaterThan(0);
  for (const { metadata } of secrets) {
    bodyOf(await api.delete({ apiVersion: 'v1', kind: 'Secret', metadata }));
  }
  bodyOf(await api.create(signingKey()));
  await eventually(
    async () => {
      const { status } = bodyOf(await api.get(signingKey()));
      return status?.keys?.some(({ phase }: { phase: string }) => phase === 'Active') ?? false;
    },
    { timeoutMs: 60_000 },
  );
  expect(await phaseOf(kid)).toBeUndefined();
  await eventually(
    async () => (await rejectionOf(grpc.getTokens(`Bearer ${jwt}`))).code === 'UNAUTHENTICATED',
  );
  await expectRejected(`Bearer ${jwt}`);
  expect((await api.get(issued(jwt))).status).toBe(200);
}, 120_000);
