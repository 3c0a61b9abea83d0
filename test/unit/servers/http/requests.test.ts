import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { RawConnection, rawRequest, sendRaw } from './raw-http.ts';
import { BASE, openServerEnv, type ServerEnv } from './server-env.ts';

/** What HTTP itself asks of every path. */

let env: ServerEnv;
beforeAll(async () => {
  env = await openServerEnv();
});
afterAll(async () => {
  await env[Symbol.asyncDispose]();
});

const PATHS: readonly (readonly [path: string, allow: string])[] = [
  [`${BASE}/oauth/token`, 'OPTIONS, POST'],
  [`${BASE}/oauth/introspect`, 'OPTIONS, POST'],
  [`${BASE}/oauth/revoke`, 'OPTIONS, POST'],
  [`${BASE}/api/v1/tokens`, 'DELETE, GET, HEAD, OPTIONS, POST'],
  [`${BASE}/.well-known/openid-configuration`, 'GET, HEAD, OPTIONS'],
  [`/.well-known/oauth-authorization-server${BASE}`, 'GET, HEAD, OPTIONS'],
  [`${BASE}/.well-known/oauth-authorization-server`, 'GET, HEAD, OPTIONS'],
  [`${BASE}/.well-known/jwks.json`, 'GET, HEAD, OPTIONS'],
  [`${BASE}/openapi.json`, 'GET, HEAD, OPTIONS'],
];
/** What belongs to one connection or moment. */
const HOP_BY_HOP = ['date', 'transfer-encoding', 'connection', 'keep-alive'];
const at = (path: string): string => new URL(path, env.url).href;

describe.each(PATHS)('%s', (path, allow) => {
  test('names its methods to OPTIONS', async () => {
    const response = await fetch(at(path), { method: 'OPTIONS' });
    expect([response.status, response.headers.get('allow')]).toEqual([204, allow]);
    expect(await response.text()).toBe('');
  });

  test.each(['PUT', 'PATCH', 'TRACE', 'QUERY', 'PROPFIND'])('has no %s', async (method) => {
    const headers = { 'Content-Type': 'text/plain' };
    const answer = await sendRaw(env.port, rawRequest(`${method} ${path}`, headers));
    expect([answer?.status, answer?.headers.get('allow')]).toEqual([405, allow]);
  });

  test('has nothing below it', async () => {
    expect((await fetch(`${at(path)}/more`)).status).toBe(404);
    expect((await fetch(`${at(path)}/`)).status).toBe(404);
  });
});

test.each(PATHS.filter(([, allow]) => allow.includes('HEAD')))(
  '%s answers HEAD as GET, without the body',
  async (path) => {
    const [get, head] = [await fetch(at(path)), await fetch(at(path), { method: 'HEAD' })];
    const headersOf = ({ headers }: Response) =>
      Object.fromEntries([...headers].filter(([name]) => !HOP_BY_HOP.includes(name)));
    expect([head.status, headersOf(head)]).toEqual([get.status, headersOf(get)]);
    expect(await head.text()).toBe('');
    expect(await get.text()).not.toBe('');
  },
);

test('HEAD of a list needs a bearer like GET, and ends the list', async () => {
  let ended = false;
  await using own = await openServerEnv({
    async *listTokens() {
      try {
        yield [];
        yield [];
      } finally {
        ended = true;
      }
    },
  });
  expect((await fetch(`${own.url}/api/v1/tokens`, { method: 'HEAD' })).status).toBe(200);
  expect(own.calls.map(([name]) => name)).toEqual(['authenticateSelf', 'listTokens']);
  expect(ended).toBe(true);
});

test.each([
  ['GET', '/api/v1/tokens', 200],
  ['GET', '/api/v1/nothing', 404],
  ['PUT', '/api/v1/tokens', 405],
  ['OPTIONS', '/api/v1/tokens', 204],
  ['GET', '/.well-known/jwks.json', 200],
  ['POST', '/oauth/token', 415],
  ['GET', '/%zz', 400],
])('%s %s has the security headers', async (method, path, status) => {
  const answer = await sendRaw(env.port, rawRequest(`${method} ${BASE}${path}`));
  expect(answer?.status).toBe(status);
  expect(Object.fromEntries(answer?.headers ?? [])).toMatchObject({
    'x-content-type-options': 'nosniff',
    'referrer-policy': 'no-referrer',
    'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
    'cache-control': path.includes('jwks') ? 'public, max-age=300' : 'no-store',
  });
  for (const telling of ['server', 'x-powered-by', 'set-cookie'])
    expect(answer?.headers.has(telling)).toBe(false);
});

test('a method in a header or parameter is not looked at', async () => {
  await using own = await openServerEnv();
  const names = ['X-HTTP-Method-Override', 'X-HTTP-Method', 'X-Method-Override'];
  for (const name of names) {
    await fetch(`${own.url}/api/v1/tokens?_method=DELETE`, { headers: { [name]: 'DELETE' } });
  }
  expect(new Set(own.calls.map(([name]) => name))).toEqual(new Set(['authenticateSelf', 'listTokens']));
});

test('several requests on one connection are answered in their order', async () => {
  const pipelined = [
    rawRequest(`GET ${BASE}/.well-known/jwks.json`),
    rawRequest(`GET ${BASE}/nothing`),
    rawRequest(`GET ${BASE}/api/v1/tokens`),
  ];
  await using connection = new RawConnection(env.port);
  connection.write(pipelined.join(''));
  const statuses = [];
  for (const _ of pipelined) statuses.push((await connection.answer())?.status);
  expect(statuses).toEqual([200, 404, 200]);
});

describe('the base', () => {
  test.each([
    ['none', 'https://issuer.example', ''],
    ['with characters that a URL escapes', 'https://issuer.example/ä b', '/%C3%A4%20b'],
    ['with characters that a router may take for its own', 'https://issuer.example/a:b/*', '/a:b/*'],
  ])('%s', async (_name, issuerUrl, base) => {
    await using own = await openServerEnv({}, { issuerUrl });
    const get = (path: string) => sendRaw(own.port, rawRequest(`GET ${path}`));
    const found = await get(`${base}/.well-known/openid-configuration`);
    expect([found?.status, JSON.parse(found?.body ?? '').issuer]).toEqual([200, issuerUrl]);
    expect((await get(`/.well-known/oauth-authorization-server${base}`))?.status).toBe(200);
    expect((await get('/axb/x/.well-known/openid-configuration'))?.status).toBe(404);
  });
});
