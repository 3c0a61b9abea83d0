import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { targetOf } from '../../../../operator/servers/http/request-target.ts';
import { type RawAnswer, rawRequest, sendRaw } from './raw-http.ts';
import { BASE, openServerEnv, type ServerEnv } from './server-env.ts';

/** The target of a request line (RFC 9112 §3.2), in origin form and in absolute form. */

test.each([
  ['/a', '/a', ''],
  ['/a?b', '/a', 'b'],
  ['/a?b?c', '/a', 'b?c'],
  ['/', '/', ''],
  ['', '', ''],
  ['*', '*', ''],
  ['a.example:443', 'a.example:443', ''],
  ['http://a.example/b?c', '/b', 'c'],
  ['https://a.example:443/b', '/b', ''],
  ['HtTp://[::1]:80/b', '/b', ''],
  ['http://a.example', '/', ''],
  ['http://a.example?c', '/', 'c'],
  ['http://a.example//b', '//b', ''],
  ['http://a.example/%2e?%2e', '/%2e', '%2e'],
  ['http://a@b.example/c', 'http://a@b.example/c', ''],
  ['http:///c', 'http:///c', ''],
  ['ftp://a.example/c', 'ftp://a.example/c', ''],
])('of %s the path is %s and the query %s', (target, path, query) => {
  expect(targetOf(target)).toEqual({ path, query });
});

describe('in absolute form', () => {
  let env: ServerEnv;
  beforeAll(async () => {
    env = await openServerEnv();
  });
  afterAll(async () => {
    await env[Symbol.asyncDispose]();
  });

  const ORIGINS = ['', 'http://issuer.example', 'https://elsewhere.example:8443', 'HTTP://127.0.0.1'];
  const FORM = ['Content-Type: application/x-www-form-urlencoded', 'Content-Length: 29'];
  const GRANT = 'grant_type=client_credentials';

  const answerTo = (
    line: string,
    headers: readonly string[] = [],
    body = '',
  ): Promise<RawAnswer | undefined> =>
    sendRaw(env.port, rawRequest(line, [...headers, 'Authorization: Bearer b', 'Connection: close'], body));

  test.each([
    ['GET', `${BASE}/.well-known/jwks.json`, 200],
    ['GET', `/.well-known/oauth-authorization-server${BASE}`, 200],
    ['GET', `${BASE}/api/v1/tokens?idFilter=one&includeBlacklisted=true`, 200],
    ['DELETE', `${BASE}/api/v1/tokens?idFilter=one`, 200],
    ['DELETE', `${BASE}/api/v1/tokens?idfilter=one`, 400],
    ['PUT', `${BASE}/oauth/token`, 405],
    ['OPTIONS', `${BASE}/oauth/token`, 204],
    ['GET', '/nothing', 404],
    ['GET', '/', 404],
  ])('%s %s is answered as in origin form', async (method, target, status) => {
    const answers = new Set<string>();
    const called = new Set<string>();
    for (const origin of ORIGINS) {
      const before = env.calls.length;
      const answer = await answerTo(`${method} ${origin}${target}`);
      expect(answer?.status).toBe(status);
      answers.add(answer?.body ?? '');
      called.add(JSON.stringify(env.calls.slice(before)));
    }
    expect([answers.size, called.size]).toEqual([1, 1]);
  });

  test('a form is read', async () => {
    for (const origin of ORIGINS) {
      const answer = await answerTo(`POST ${origin}${BASE}/oauth/token`, FORM, GRANT);
      expect([answer?.status, answer?.body]).toEqual([200, expect.stringContaining('access-token')]);
    }
  });

  test('a target without a path is that of the root', async () => {
    for (const target of ['http://issuer.example', 'http://issuer.example?idFilter=one']) {
      expect((await answerTo(`GET ${target}`))?.status).toBe(404);
    }
  });
});
