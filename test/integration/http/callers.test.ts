import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { bodyOf } from '../../support/api.ts';
import { assertionClaims, JWT_BEARER, type TestSigner, testSigner } from '../../support/assertions.ts';
import { eventually } from '../../support/eventually.ts';
import { connectGrpc, type GrpcClient, rejectionOf } from '../../support/grpc.ts';
import { basic, httpUrl, postForm } from '../../support/http.ts';
import {
  GROUP_VERSION,
  type Installation,
  install,
  oauthClient,
  signingKey,
  waitForReason,
} from '../../support/installation.ts';
import {
  AUDIENCE,
  headerOf,
  ISSUER,
  makeClient,
  payloadOf,
  type TestClient,
} from '../servers/oauth-clients.ts';

/** Who may ask for what, by the compiled operator on two replicas; the second lets bearers see only themselves, and has its own signing key. */

let installation: Installation;
let namespace: string;
let first: string;
let second: string;
let grpc: GrpcClient;

beforeAll(async () => {
  installation = await install();
  const { api } = installation;
  namespace = await api.createNamespace('callers');
  bodyOf(await api.create(signingKey('second')));
  const operator = await installation.operator();
  await operator.ready();
  for (const name of ['default', 'second']) await waitForReason(api, signingKey(name), 'Active', 60_000);
  const other = await installation.operator({
    config: {
      issuer: { signingKey: 'second' },
      authorization: { issuedTokens: { access: 'Self' } },
    },
  });
  await other.ready();
  [first, second] = [await httpUrl(operator), await httpUrl(other)];
  grpc = await connectGrpc(other);
}, 900_000);

afterAll(async () => {
  grpc?.close();
  await installation?.close();
});

interface Answer {
  readonly status: number;
  // biome-ignore lint/suspicious/noExplicitAny: the shape differs by endpoint, and a test asserts it
  readonly body: any;
}

const jsonOf = async (response: Response): Promise<Answer> => {
  const text = await response.text();
  return { status: response.status, body: text === '' ? undefined : JSON.parse(text) };
};
const by = ({ id, secret }: TestClient) => ({ authorization: basic(id, secret) });
const GRANT = { grant_type: 'client_credentials', audience: AUDIENCE };

/** Tries again while a key or a client is not known yet on that replica. */
const tokenOf = (client: TestClient, at = first, audience = AUDIENCE): Promise<string> =>
  eventually(
    async () => {
      const form = { ...GRANT, audience };
      const { status, body } = await jsonOf(await postForm(`${at}/oauth/token`, form, by(client)));
      if (status !== 200) throw new Error(JSON.stringify(body));
      return body.access_token;
    },
    { timeoutMs: 30_000, intervalMs: 100 },
  );
const introspect = async (token: string, caller: TestClient, at = first): Promise<Answer> =>
  jsonOf(await postForm(`${at}/oauth/introspect`, { token }, by(caller)));
const revoke = async (token: string, caller: TestClient, at = first): Promise<Answer> =>
  jsonOf(await postForm(`${at}/oauth/revoke`, { token }, by(caller)));

const INACTIVE: Answer = { status: 200, body: { active: false } };
const INVALID_CLIENT = { status: 401, body: { error: 'invalid_client' } };

describe('a client may introspect', () => {
  const callers = new Map<string, TestClient>();
  let owner: TestClient;
  let token: string;

  beforeAll(async () => {
    const specs = {
      nothing: {},
      audience: { introspection: { policy: 'Audience', audiences: [AUDIENCE] } },
      'other audience': { introspection: { policy: 'Audience', audiences: ['https://other.example'] } },
      all: { introspection: { policy: 'All' } },
      'all, and gets no tokens': { introspection: { policy: 'All' }, allowedGrantTypes: [] },
      'all, and is suspended': { introspection: { policy: 'All' }, suspended: true },
    };
    for (const [name, spec] of Object.entries(specs)) {
      callers.set(name, await makeClient(installation, namespace, { spec }));
    }
    owner = await makeClient(installation, namespace);
    token = await tokenOf(owner);
  }, 60_000);

  test.each([
    ['nothing', false],
    ['audience', true],
    ['other audience', false],
    ['all', true],
    ['all, and gets no tokens', true],
  ])('tokens of others by its policy: %s', async (name, isTold) => {
    const answer = await introspect(token, callers.get(name) ?? owner);
    expect(answer).toEqual(
      isTold ? { status: 200, body: expect.objectContaining({ active: true }) } : INACTIVE,
    );
  });

  test('its own', async () => {
    expect(await introspect(token, owner)).toMatchObject({ body: { active: true, client_id: owner.id } });
  });

  test('nothing while it is suspended', async () => {
    const caller = callers.get('all, and is suspended') ?? owner;
    const rejected = { status: 400, body: { error: 'unauthorized_client' } };
    expect(await introspect(token, caller)).toMatchObject(rejected);
    expect(await revoke(token, caller)).toMatchObject(rejected);
  });

  test('everything by policy, and revokes what is its own alone', async () => {
    expect((await revoke(token, callers.get('all') ?? owner)).status).toBe(200);
    expect(await introspect(token, owner)).toMatchObject({ body: { active: true } });
  });
});

test('a client that was made again has nothing of what was the other’s', async () => {
  const client = await makeClient(installation, namespace);
  const auditor = await makeClient(installation, namespace, { spec: { introspection: { policy: 'All' } } });
  const before = await tokenOf(client);
  const ref = oauthClient(client.name, namespace);
  const { spec } = bodyOf(await installation.api.get(ref));
  bodyOf(await installation.api.delete(ref));
  bodyOf(await installation.api.create({ ...ref, spec }));
  const after = await tokenOf(client);
  await eventually(async () =>
    expect(await introspect(after, client)).toMatchObject({ body: { active: true } }),
  );
  for (const caller of [client, auditor]) expect(await introspect(before, caller)).toEqual(INACTIVE);
  // And can't touch it: the record, as long as it is there, is as it was.
  expect((await revoke(before, client)).status).toBe(200);
  const metadata = { name: String(payloadOf(before).jti), namespace };
  const record = await installation.api.get({ apiVersion: GROUP_VERSION, kind: 'IssuedToken', metadata });
  if (record.status === 200) expect(record.body).not.toHaveProperty('status.blacklisted');
});

describe('a client that signs its own assertions', () => {
  let signer: TestSigner;
  let client: TestClient;

  beforeAll(async () => {
    signer = await testSigner();
    const authentication = { privateKeyJWT: { jwks: { keys: [signer.publicJWK] } } };
    client = await makeClient(installation, namespace, { data: undefined, spec: { authentication } });
  });

  const assertion = (): Promise<string> => signer.sign(assertionClaims(client.id, ISSUER));
  const overHttp = async (jwt: string, at: string): Promise<Answer> =>
    jsonOf(
      await postForm(`${at}/oauth/token`, {
        ...GRANT,
        client_assertion_type: JWT_BEARER,
        client_assertion: jwt,
      }),
    );
  const overGrpc = (jwt: string) =>
    grpc.createToken({
      grantType: 'client_credentials',
      clientId: client.id,
      audience: [AUDIENCE],
      clientAssertionType: JWT_BEARER,
      clientAssertion: jwt,
    });
  const REPLAYED = { code: 'UNAUTHENTICATED', reason: 'invalid_client' };

  test('may use each once, over HTTP and gRPC, on every replica', async () => {
    const jwt = await assertion();
    await eventually(async () => expect(await overHttp(jwt, first)).toMatchObject({ status: 200 }));
    for (const at of [first, second]) expect(await overHttp(jwt, at)).toMatchObject(INVALID_CLIENT);
    expect(await rejectionOf(overGrpc(jwt))).toMatchObject(REPLAYED);
  });

  test('may use each once, over gRPC and HTTP', async () => {
    const jwt = await assertion();
    expect((await overGrpc(jwt)).accessToken).not.toBe('');
    for (const at of [first, second]) expect(await overHttp(jwt, at)).toMatchObject(INVALID_CLIENT);
  });

  test('of several at the same time one gets the token', async () => {
    const jwt = await assertion();
    const answers = await Promise.all([first, second, first, second].map((at) => overHttp(jwt, at)));
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 401, 401, 401]);
  });

  test('asks about its token, and revokes it, by further ones', async () => {
    const { body } = await overHttp(await assertion(), first);
    const post = async (path: string): Promise<Answer> =>
      jsonOf(
        await postForm(`${first}${path}`, {
          token: body.access_token,
          client_assertion_type: JWT_BEARER,
          client_assertion: await assertion(),
        }),
      );
    expect(await post('/oauth/introspect')).toMatchObject({ body: { active: true, client_id: client.id } });
    expect((await post('/oauth/revoke')).status).toBe(200);
    expect(await post('/oauth/introspect')).toEqual(INACTIVE);
  });
});

describe('a bearer that is held to itself', () => {
  const idsAt = async (at: string, jwt: string, query = ''): Promise<string[]> => {
    const response = await fetch(`${at}/api/v1/tokens${query}`, {
      headers: { authorization: `Bearer ${jwt}` },
    });
    expect(response.status).toBe(200);
    const lines = (await response.text()).split('\n').filter(Boolean);
    return lines.map((line) => JSON.parse(line).result.id);
  };
  const idOf = (jwt: string): string => String(payloadOf(jwt).jti);

  test.each<[string, () => string, string]>([
    ['by the configuration', () => second, `${AUDIENCE} ${ISSUER}`],
    ['as it is for an API', () => first, AUDIENCE],
  ])('%s sees and revokes nothing but itself', async (_name, place, audience) => {
    const at = place();
    const client = await makeClient(installation, namespace);
    const [one, other] = [await tokenOf(client, first, audience), await tokenOf(client, first, ISSUER)];
    await eventually(async () => expect(await idsAt(at, one)).toEqual([idOf(one)]));
    expect(await idsAt(at, one, `?idFilter=${idOf(other)}`)).toEqual([]);
    expect(await idsAt(at, one, `?idFilter=${idOf(other)}&idFilter=${idOf(one)}`)).toEqual([idOf(one)]);
    expect((await idsAt(first, other)).sort()).toEqual([idOf(one), idOf(other)].sort());
    // As existing verifiers ask.
    expect(await idsAt(at, one, `?idFilter=${idOf(one)}&includeBlacklisted=true`)).toEqual([idOf(one)]);
    const remove = (query: string) =>
      fetch(`${at}/api/v1/tokens${query}`, {
        method: 'DELETE',
        headers: { authorization: `Bearer ${one}` },
      }).then(jsonOf);
    expect((await remove(`?idFilter=${idOf(other)}`)).body).toEqual({
      blacklistedCount: '0',
      deletedCount: '0',
    });
    expect((await remove('')).body).toEqual({ blacklistedCount: '1', deletedCount: '0' });
    expect(await introspect(one, client, at)).toEqual(INACTIVE);
    expect(await introspect(other, client, at)).toMatchObject({ body: { active: true } });
  });
});

test('of a key that is no more every token is bad, on every replica', async () => {
  const client = await makeClient(installation, namespace);
  const jwt = await tokenOf(client, second);
  const kidsAt = async (at: string): Promise<string[]> =>
    (await jsonOf(await fetch(`${at}/.well-known/jwks.json`))).body.keys.map(
      (key: { kid: string }) => key.kid,
    );
  const { kid } = headerOf(jwt);
  expect(await kidsAt(first)).toContain(kid);
  expect(await introspect(jwt, client)).toMatchObject({ body: { active: true } });
  bodyOf(await installation.api.delete(signingKey('second')));
  for (const at of [first, second]) {
    await eventually(async () => expect(await kidsAt(at)).not.toContain(kid));
    expect(await introspect(jwt, client, at)).toEqual(INACTIVE);
    expect((await fetch(`${at}/api/v1/tokens`, { headers: { authorization: `Bearer ${jwt}` } })).status).toBe(
      401,
    );
  }
  // Nor is a token issued that no verifier could check.
  expect(await jsonOf(await postForm(`${second}/oauth/token`, GRANT, by(client)))).toMatchObject({
    status: 503,
    body: { error: 'temporarily_unavailable' },
  });
});
