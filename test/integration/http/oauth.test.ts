import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { createLocalJWKSet, jwtVerify } from 'jose';
import { bodyOf } from '../../support/api.ts';
import { eventually } from '../../support/eventually.ts';
import { basic, httpUrl, postForm } from '../../support/http.ts';
import { GROUP_VERSION, type Installation, install, oauthClient } from '../../support/installation.ts';
import { AUDIENCE, ISSUER, makeClient, payloadOf, type TestClient } from '../servers/oauth-clients.ts';

/** The OAuth endpoints, by the compiled operator and a real API server. */

let installation: Installation;
let namespace: string;
let url: string;
let client: TestClient;
let gateway: TestClient;

beforeAll(async () => {
  installation = await install();
  namespace = await installation.api.createNamespace('oauth');
  const operator = await installation.operator();
  await operator.ready();
  url = await httpUrl(operator);
  client = await makeClient(installation, namespace);
  gateway = await makeClient(installation, namespace, {
    spec: { allowedGrantTypes: [], introspection: { policy: 'Audience', audiences: [AUDIENCE] } },
  });
}, 900_000);

afterAll(async () => {
  await installation?.close();
});

// biome-ignore lint/suspicious/noExplicitAny: the shape differs by endpoint, and a test asserts it
const json = async (response: Response): Promise<{ status: number; body: any }> => ({
  status: response.status,
  body: await response.json(),
});
const ask = async (form: Record<string, string> = {}, as = client) =>
  json(
    await postForm(
      `${url}/oauth/token`,
      { grant_type: 'client_credentials', audience: AUDIENCE, ...form },
      { authorization: basic(as.id, as.secret) },
    ),
  );
const tokenFor = async (as = client, audience = AUDIENCE): Promise<string> =>
  eventually(async () => {
    const { status, body } = await ask({ audience }, as);
    if (status !== 200) throw new Error(JSON.stringify(body));
    return body.access_token;
  });
const introspect = async (token: string, as = gateway) =>
  json(await postForm(`${url}/oauth/introspect`, { token }, { authorization: basic(as.id, as.secret) }));
const revoke = (token: string, as = client): Promise<Response> =>
  postForm(`${url}/oauth/revoke`, { token }, { authorization: basic(as.id, as.secret) });

const INACTIVE = { status: 200, body: { active: false } };

test('a token is issued, verifies by the JWKS, and is recorded', async () => {
  await tokenFor();
  const answer = await ask({ scope: 'read' });
  expect(answer).toEqual({
    status: 200,
    body: {
      access_token: expect.any(String),
      token_type: 'Bearer',
      expires_in: expect.any(Number),
      scope: 'read',
    },
  });
  const { body: jwks } = await json(await fetch(`${url}/.well-known/jwks.json`));
  const { payload } = await jwtVerify(answer.body.access_token, createLocalJWKSet(jwks), {
    issuer: ISSUER,
    audience: AUDIENCE,
  });
  const ref = {
    apiVersion: GROUP_VERSION,
    kind: 'IssuedToken',
    metadata: { name: String(payload.jti), namespace },
  };
  expect(bodyOf(await installation.api.get(ref)).spec.clientID).toBe(client.id);
});

describe('introspection', () => {
  test('describes a valid token to clients that may introspect it, and to others only says that it is inactive', async () => {
    const token = await tokenFor();
    const { status, body } = await introspect(token);
    expect(status).toBe(200);
    expect(body).toEqual({ ...payloadOf(token), active: true, token_type: 'Bearer' });
    expect((await introspect(token, client)).body.active).toBe(true);
    const otherClient = await makeClient(installation, namespace);
    expect(await introspect(token, otherClient)).toEqual(INACTIVE);
  });

  test('needs a client', async () => {
    const rejected = await introspect(await tokenFor(), { ...gateway, secret: 'guessed' });
    expect(rejected).toMatchObject({ status: 401, body: { error: 'invalid_client' } });
  });

  test('of a token of a suspended or deleted client, or of a deleted record, is inactive', async () => {
    const leaving = await makeClient(installation, namespace);
    const [first, second] = [await tokenFor(leaving), await tokenFor(leaving)];
    const ref = oauthClient(leaving.name, namespace);
    const suspend = async (suspended: boolean) =>
      bodyOf(await installation.api.patch(ref, 'merge', { spec: { suspended } }));
    await suspend(true);
    await eventually(async () => expect(await introspect(first)).toEqual(INACTIVE));
    await suspend(false);
    await eventually(async () => expect((await introspect(first)).body.active).toBe(true));
    const metadata = { name: String(payloadOf(second).jti), namespace };
    bodyOf(await installation.api.delete({ apiVersion: GROUP_VERSION, kind: 'IssuedToken', metadata }));
    await eventually(async () => expect(await introspect(second)).toEqual(INACTIVE));
    bodyOf(await installation.api.delete(ref));
    await eventually(async () => expect(await introspect(first)).toEqual(INACTIVE));
  });
});

describe('revocation', () => {
  test('is for ever, and at once', async () => {
    const token = await tokenFor();
    expect((await revoke(token)).status).toBe(200);
    expect(await introspect(token)).toEqual(INACTIVE);
    expect((await revoke(token)).status).toBe(200);
    const metadata = { name: String(payloadOf(token).jti), namespace };
    const ref = { apiVersion: GROUP_VERSION, kind: 'IssuedToken', metadata };
    expect(bodyOf(await installation.api.get(ref)).status.blacklisted.flag).toBe(true);
  });

  test('of another client’s token, or of none, is 200 and changes nothing', async () => {
    const token = await tokenFor();
    const otherClient = await makeClient(installation, namespace);
    expect((await revoke(token, otherClient)).status).toBe(200);
    expect((await revoke('garbage')).status).toBe(200);
    expect((await introspect(token)).body.active).toBe(true);
  });
});

describe('the verifier’s GET', () => {
  const lookUp = (token: string, id = String(payloadOf(token).jti), more = '&includeBlacklisted=true') =>
    fetch(`${url}/api/v1/tokens?idFilter=${id}${more}`, { headers: { authorization: `bearer ${token}` } });

  test('answers a token’s question about itself, also after its revocation', async () => {
    const token = await tokenFor();
    const found = await lookUp(token);
    expect(found.status).toBe(200);
    const text = await found.text();
    expect(JSON.parse(text)).toMatchObject({ result: { id: payloadOf(token).jti, clientId: client.id } });
    expect(text.endsWith('}\n')).toBe(true);
    await revoke(token);
    const [line] = (await (await lookUp(token)).text()).split('\n');
    expect(JSON.parse(line ?? '').result.blacklisted).toEqual({ flag: true, timestamp: expect.any(String) });
    // And nothing else.
    const other = await tokenFor();
    for (const response of [
      await lookUp(token, String(payloadOf(other).jti)),
      await lookUp(token, String(payloadOf(token).jti), ''),
      await fetch(`${url}/api/v1/tokens`, { headers: { authorization: `Bearer ${token}` } }),
    ]) {
      expect(await json(response)).toMatchObject({ status: 401, body: { code: 16 } });
    }
  });

  test('lists, and DELETE revokes, as gRPC does', async () => {
    const owner = await makeClient(installation, namespace);
    const tokens = [await tokenFor(owner, ISSUER), await tokenFor(owner)];
    const headers = { authorization: `Bearer ${tokens[0]}` };
    const listed = (await (await fetch(`${url}/api/v1/tokens`, { headers })).text()).trimEnd().split('\n');
    expect(listed.map((line) => JSON.parse(line).result.id).sort()).toEqual(
      tokens.map((token) => payloadOf(token).jti).sort(),
    );
    const deleted = await fetch(`${url}/api/v1/tokens?idFilter=${payloadOf(tokens[1] ?? '').jti}`, {
      method: 'DELETE',
      headers,
      body: 'whatever',
    });
    expect(await json(deleted)).toEqual({ status: 200, body: { blacklistedCount: '1', deletedCount: '0' } });
    const none = await fetch(`${url}/api/v1/tokens?idFilter=none`, { headers });
    expect([none.status, await none.text()]).toEqual([200, '']);
  });

  test('POST issues a token as CreateToken does', async () => {
    const created = await fetch(`${url}/api/v1/tokens`, {
      method: 'POST',
      body: JSON.stringify({
        client_id: client.id,
        clientSecret: client.secret,
        grantType: 'client_credentials',
        audience: [AUDIENCE],
      }),
    });
    expect(await json(created)).toMatchObject({
      status: 200,
      body: { tokenType: 'Bearer', expiresIn: expect.stringMatching(/^[0-9]+$/u), scope: ['read', 'write'] },
    });
  });
});
