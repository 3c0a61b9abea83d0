import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { bodyOf } from '../../support/api.ts';
import { assertionClaims, JWT_BEARER, type TestSigner, testSigner } from '../../support/assertions.ts';
import { eventually } from '../../support/eventually.ts';
import { connectGrpc, rejectionOf } from '../../support/grpc.ts';
import { httpUrl, postForm } from '../../support/http.ts';
import { GROUP_VERSION, type Installation, install } from '../../support/installation.ts';
import type { OperatorProcess } from '../../support/operator-process.ts';
import { AUDIENCE, idOf, makeClient, type TestClient } from '../servers/oauth-clients.ts';

/** Assertions that are sent again after the record of their token was deleted, which revoked it. */

const ISSUER = 'https://localhost:9101/m2m-oauth-server';
let installation: Installation;
let namespace: string;
let signer: TestSigner;
let client: TestClient;
let first: OperatorProcess;
let second: OperatorProcess;

const start = async (): Promise<OperatorProcess> => {
  const operator = await installation.operator();
  await operator.ready();
  return operator;
};

beforeAll(async () => {
  installation = await install();
  namespace = await installation.api.createNamespace('replays');
  [first, second] = await Promise.all([start(), start()]);
  signer = await testSigner();
  const authentication = { privateKeyJWT: { jwks: { keys: [signer.publicJWK] } } };
  client = await makeClient(installation, namespace, { data: undefined, spec: { authentication } });
}, 900_000);

afterAll(() => installation?.close());

interface Answer {
  readonly status: number;
  // biome-ignore lint/suspicious/noExplicitAny: the shape differs by endpoint, and a test asserts it
  readonly body: any;
}

const assertion = (changes: object = {}): Promise<string> =>
  signer.sign(assertionClaims(client.id, ISSUER, { ...changes }));

const send = async (path: string, jwt: string, form: Readonly<Record<string, string>>): Promise<Answer> => {
  const response = await postForm(path, {
    ...form,
    client_assertion_type: JWT_BEARER,
    client_assertion: jwt,
  });
  return { status: response.status, body: await response.json() };
};

const ask = async (at: OperatorProcess, jwt: string): Promise<Answer> =>
  send(`${await httpUrl(at)}/oauth/token`, jwt, { grant_type: 'client_credentials', audience: AUDIENCE });

const askGateway = async (at: OperatorProcess, jwt: string): Promise<Answer> => {
  const response = await fetch(`${await httpUrl(at)}/api/v1/tokens`, {
    method: 'POST',
    body: JSON.stringify({
      grantType: 'client_credentials',
      clientId: client.id,
      audience: [AUDIENCE],
      clientAssertionType: JWT_BEARER,
      clientAssertion: jwt,
    }),
  });
  return { status: response.status, body: await response.json() };
};

const askGrpc = async (at: OperatorProcess, jwt: string) => {
  const grpc = await connectGrpc(at);
  try {
    return await rejectionOf(
      grpc.createToken({
        grantType: 'client_credentials',
        clientId: client.id,
        audience: [AUDIENCE],
        clientAssertionType: JWT_BEARER,
        clientAssertion: jwt,
      }),
    );
  } finally {
    grpc.close();
  }
};

const isActive = async (at: OperatorProcess, token: string): Promise<boolean> => {
  const { body } = await send(`${await httpUrl(at)}/oauth/introspect`, await assertion(), { token });
  return body.active;
};

const recordOf = (token: string) => ({
  apiVersion: GROUP_VERSION,
  kind: 'IssuedToken',
  metadata: { name: idOf(token), namespace },
});

let jwt: string;
let token: string;

/** The client is known to both replicas, and a token of its was revoked by deleting the record. */
beforeEach(async () => {
  jwt = await assertion();
  token = await eventually(async () => {
    const { status, body } = await ask(first, jwt);
    if (status !== 200) throw new Error(JSON.stringify(body));
    return body.access_token as string;
  });
  await eventually(async () => expect(await isActive(second, token)).toBe(true));
  bodyOf(await installation.api.delete(recordOf(token)));
});

const REPLAYED = { status: 401, body: { error: 'invalid_client' } };

test('a deleted record stays dead on every replica, at every endpoint', async () => {
  for (const at of [first, second]) {
    expect(await ask(at, jwt)).toMatchObject(REPLAYED);
    expect(await askGateway(at, jwt)).toMatchObject({ status: 401, body: { code: 16 } });
    expect(await askGrpc(at, jwt)).toMatchObject({ code: 'UNAUTHENTICATED', reason: 'invalid_client' });
    await eventually(async () => expect(await isActive(at, token)).toBe(false));
  }
  expect((await installation.api.get(recordOf(token))).status).toBe(404);
});

test('a deleted record stays dead across a restart, which costs honest clients nothing', async () => {
  await first.stop();
  first = await start();
  const answer = await ask(first, jwt);
  expect(answer).toMatchObject(REPLAYED);
  expect(answer.body.error_description).toContain('sign a new one');
  expect((await installation.api.get(recordOf(token))).status).toBe(404);
  expect(await isActive(first, token)).toBe(false);
  expect(await ask(first, await assertion())).toMatchObject({ status: 200 });
});

test('an assertion without iat may have been signed up to 5 min before it expires', async () => {
  await second.stop();
  second = await start();
  const exp = Math.floor(Date.now() / 1000) + 60;
  const unknown = await ask(second, await assertion({ iat: undefined, exp }));
  expect(unknown).toMatchObject(REPLAYED);
  expect(unknown.body.error_description).toContain('sign a new one');
  expect(await ask(second, await assertion({ iat: undefined, exp: exp + 240 + 30 }))).toMatchObject({
    status: 200,
  });
});
