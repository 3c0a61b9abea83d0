import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { bodyOf } from '../../support/api.ts';
import { testSigner } from '../../support/assertions.ts';
import { eventually } from '../../support/eventually.ts';
import { basic, httpUrl, postForm } from '../../support/http.ts';
import {
  GROUP_VERSION,
  type Installation,
  install,
  signingKey,
  token,
  waitForReason,
} from '../../support/installation.ts';
import type { OperatorProcess } from '../../support/operator-process.ts';
import { startTcpProxy, type TcpProxy } from '../../support/tcp-proxy.ts';
import { AUDIENCE, headerOf, makeClient, payloadOf, type TestClient } from '../servers/oauth-clients.ts';

/** What the HTTP server answers about tokens that are no longer valid, on the replica that was notified and on one that was not. */

const ISSUER = 'https://localhost:9101/m2m-oauth-server';
let installation: Installation;
let namespace: string;
let proxy: TcpProxy;
let operators: OperatorProcess[];
/** The second replica reaches the API server by a wire that tests cut. */
let first: string;
let second: string;
let client: TestClient;

beforeAll(async () => {
  installation = await install();
  namespace = await installation.api.createNamespace('validated');
  proxy = await startTcpProxy(installation.cluster.url);
  const kubeconfigPath = join(installation.kubeconfigPath, '..', 'proxied.kubeconfig');
  const kubeconfig = await readFile(installation.kubeconfigPath, 'utf8');
  await writeFile(kubeconfigPath, kubeconfig.replaceAll(installation.cluster.url, proxy.url), {
    mode: 0o600,
  });
  const leader = await installation.operator();
  await leader.ready();
  // A leader that is cut off exits, and serves no one.
  await eventually(async () => (await leader.metric('m2moauth_leader')) === 1, { timeoutMs: 60_000 });
  await waitForReason(installation.api, signingKey(), 'Active', 60_000);
  const follower = await installation.operator({ kubeconfigPath });
  await follower.ready();
  operators = [leader, follower];
  [first, second] = (await Promise.all(operators.map((operator) => httpUrl(operator)))) as [string, string];
  client = await makeClient(installation, namespace);
}, 900_000);

afterAll(async () => {
  await installation?.close();
  await proxy?.close();
});

interface Answer {
  readonly status: number;
  // biome-ignore lint/suspicious/noExplicitAny: the shape differs by endpoint, and a test asserts it
  readonly body: any;
}

const read = async (response: Response): Promise<Answer> => {
  const text = await response.text();
  return {
    status: response.status,
    body: text === '' ? undefined : JSON.parse(text.split('\n', 1)[0] ?? ''),
  };
};
const post = async (path: string, form: Record<string, string>, at: string): Promise<Answer> =>
  read(await postForm(`${at}${path}`, form, { authorization: basic(client.id, client.secret) }));

const create = async (form: Record<string, string> = {}, at = first): Promise<string> => {
  const asked = { grant_type: 'client_credentials', audience: AUDIENCE, ...form };
  const { status, body } = await post('/oauth/token', asked, at);
  if (status !== 200) throw new Error(JSON.stringify(body));
  return body.access_token;
};
const introspect = (jwt: string, at = first) => post('/oauth/introspect', { token: jwt }, at);
const revoke = (jwt: string, at = first) => post('/oauth/revoke', { token: jwt }, at);
/** What existing verifiers ask. */
const lookUp = async (jwt: string, at = first): Promise<Answer> =>
  read(
    await fetch(`${at}/api/v1/tokens?idFilter=${payloadOf(jwt).jti}&includeBlacklisted=true`, {
      headers: { authorization: `Bearer ${jwt}` },
    }),
  );

const INACTIVE: Answer = { status: 200, body: { active: false } };
const UNAVAILABLE = { status: 503, body: { error: 'temporarily_unavailable' } };
const isActive = async (jwt: string, at = first): Promise<void> =>
  expect(await introspect(jwt, at)).toMatchObject({ status: 200, body: { active: true } });

const issued = (jwt: string) => ({
  apiVersion: GROUP_VERSION,
  kind: 'IssuedToken',
  metadata: { name: String(payloadOf(jwt).jti), namespace },
});

describe('introspection says active: false and nothing else of', () => {
  test.each<[string, (jwt: string) => string | Promise<string>]>([
    ['garbage', () => 'garbage'],
    ['a bare jti', (jwt) => String(payloadOf(jwt).jti)],
    ['a JWT without its signature', (jwt) => `${jwt.split('.').slice(0, 2).join('.')}.`],
    [
      'a token signed by another key',
      async (jwt) => (await testSigner()).sign(payloadOf(jwt), { kid: String(headerOf(jwt).kid) }),
    ],
    [
      'one of another issuer',
      async (jwt) => (await testSigner()).sign({ ...payloadOf(jwt), iss: 'https://other.example' }),
    ],
  ])('%s', async (_name, change) => {
    expect(await introspect(await change(await create()))).toEqual(INACTIVE);
  });

  test('an expired one', async () => {
    const jwt = await create({ expiration: String(Math.floor(Date.now() / 1000) + 2) });
    await isActive(jwt);
    await eventually(async () => expect(await introspect(jwt)).toEqual(INACTIVE));
    expect(Math.floor(Date.now() / 1000)).toBeGreaterThanOrEqual(Number(payloadOf(jwt).exp));
    expect((await lookUp(jwt)).status).toBe(401);
  });

  test.each([
    [
      'a patch of spec.revoked',
      async (jwt: string) =>
        bodyOf(await installation.api.patch(issued(jwt), 'merge', { spec: { revoked: true } })),
    ],
    ['the deletion of its record', async (jwt: string) => bodyOf(await installation.api.delete(issued(jwt)))],
    ['a revocation through another replica', (jwt: string) => revoke(jwt, second)],
  ])('one that ended by %s, within a second or so', async (_name, end) => {
    const jwt = await create();
    await isActive(jwt);
    await end(jwt);
    const endedAt = performance.now();
    await eventually(async () => expect(await introspect(jwt)).toEqual(INACTIVE), { intervalMs: 20 });
    expect(performance.now() - endedAt).toBeLessThan(10_000);
  });
});

describe('a declared Token', () => {
  test('is described by the JWT in its Secret, and revoked as a whole, finally', async () => {
    const declared = token('reports', namespace, { clientRef: { name: client.name } });
    bodyOf(await installation.api.create(declared));
    await waitForReason(installation.api, declared, 'Issued');
    const ref = { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'reports', namespace } };
    const secret = bodyOf(await installation.api.get(ref));
    const jwt = Buffer.from(secret.data.token, 'base64').toString();
    expect(await introspect(jwt)).toMatchObject({ body: { active: true, client_id: client.id } });
    expect(await lookUp(jwt)).toMatchObject({
      body: { result: { name: 'reports', id: payloadOf(jwt).jti } },
    });
    expect((await revoke(jwt)).status).toBe(200);
    expect(await introspect(jwt)).toEqual(INACTIVE);
    expect(await lookUp(jwt)).toMatchObject({ body: { result: { blacklisted: { flag: true } } } });
    const after = await waitForReason(installation.api, declared, 'Blacklisted');
    expect(after.status.blacklisted.flag).toBe(true);
  });
});

test('a replica that is cut off answers after 10 s neither that a token is active nor that it is not', async () => {
  const jwt = await create({}, second);
  await isActive(jwt, second);
  const revoked = await create({}, second);
  expect((await revoke(revoked, second)).status).toBe(200);
  proxy.stall();
  const cutAt = performance.now();
  try {
    expect((await revoke(jwt)).status).toBe(200);
    expect(await introspect(jwt)).toEqual(INACTIVE);
    await eventually(async () => expect(await introspect(jwt, second)).toMatchObject(UNAVAILABLE), {
      timeoutMs: 30_000,
      intervalMs: 200,
    });
    // The bound and a live read that runs into its deadline.
    expect(performance.now() - cutAt).toBeLessThan(20_000);
    expect(await lookUp(jwt, second)).toMatchObject({ status: 503, body: { code: 14 } });
    expect(await revoke(jwt, second)).toMatchObject(UNAVAILABLE);
    expect(
      await post('/oauth/token', { grant_type: 'client_credentials', audience: AUDIENCE }, second),
    ).toMatchObject(UNAVAILABLE);
    // What it took back itself it knows for ever.
    expect(await lookUp(revoked, second)).toMatchObject({
      body: { result: { blacklisted: { flag: true } } },
    });
  } finally {
    proxy.resume();
  }
  await eventually(async () => expect(await introspect(jwt, second)).toEqual(INACTIVE), {
    timeoutMs: 60_000,
    intervalMs: 100,
  });
}, 120_000);

test('of a compromised key everything is bad, and the key is in no document', async () => {
  const jwt = await create();
  const { kid } = headerOf(jwt);
  const kids = async (): Promise<unknown[]> =>
    (await read(await fetch(`${first}/.well-known/jwks.json`))).body.keys.map(
      (key: { kid: string }) => key.kid,
    );
  expect(await kids()).toContain(kid);
  bodyOf(await installation.api.patch(signingKey(), 'merge', { spec: { compromised: [kid] } }));
  await eventually(async () => expect(await introspect(jwt)).toEqual(INACTIVE), { timeoutMs: 30_000 });
  await eventually(async () => expect(await kids()).not.toContain(kid));
  expect((await lookUp(jwt)).status).toBe(401);
  expect((await revoke(jwt)).status).toBe(200);
  // The next key signs.
  const later = await eventually(async () => create(), { timeoutMs: 60_000 });
  await isActive(later);
}, 120_000);

test('no secret and no JWT is in any line of the log, and no URL either', async () => {
  const jwt = await create();
  await lookUp(jwt);
  await postForm(`${first}/oauth/token`, { client_id: client.id, client_secret: `${client.secret}x` });
  await fetch(`${first}/${jwt}?access_token=${jwt}`);
  const logged = (): string => JSON.stringify(operators.map(({ log }) => log));
  await eventually(() => expect(logged()).toContain(String(payloadOf(jwt).jti)));
  const text = logged();
  expect(text).not.toContain(client.secret);
  expect(text).not.toMatch(/eyJ[\w-]{10,}\.[\w-]{10,}/u);
  expect(text).not.toContain('access_token');
  expect(text).not.toContain('idFilter=');
});

test('requests are counted by route, method and code', async () => {
  const [operator] = operators;
  const labels = (route: string, method: string, code: number): string =>
    `m2moauth_http_requests_total{route="/m2m-oauth-server${route}",method="${method}",code="${code}"}`;
  expect(await operator?.metric(labels('/oauth/introspect', 'POST', 200))).toBeGreaterThan(5);
  expect(await operator?.metric(labels('/api/v1/tokens', 'GET', 401))).toBeGreaterThan(1);
  expect(await operator?.sum('m2moauth_http_requests_total', 'route="unknown"')).toBe(1);
});

test('the issuer is the configured one, under whatever address it is reached', async () => {
  const { body } = await read(
    await fetch(`${second}/.well-known/openid-configuration`, {
      headers: { 'x-forwarded-host': 'evil.example' },
    }),
  );
  expect(body.issuer).toBe(ISSUER);
  const urls = Object.values(body).filter((value) => typeof value === 'string');
  expect(urls.every((url) => String(url).startsWith(ISSUER))).toBe(true);
});
