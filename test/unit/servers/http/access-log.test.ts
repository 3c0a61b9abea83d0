import { describe, expect, test } from '@jest/globals';
import { IssuerFailure, refused } from '../../../../operator/issuer/failure.ts';
import { eventually } from '../../../support/eventually.ts';
import { basic, postForm } from '../../../support/http.ts';
import { rawRequest, sendRaw } from './raw-http.ts';
import { BASE, openServerEnv, type ServerEnv } from './server-env.ts';

/** What the log and the metrics get of a request. */

const FORM = { 'content-type': 'application/x-www-form-urlencoded' };

const callAll = async ({ url }: ServerEnv): Promise<void> => {
  const authorization = 'Bearer the-bearer';
  const client = { authorization: basic('id', 'the-secret') };
  const requests = [
    postForm(`${url}/oauth/token`, { grant_type: 'client_credentials', client_assertion: 'the-assertion' }),
    postForm(`${url}/oauth/introspect`, { token: 'the-token' }, client),
    postForm(`${url}/oauth/revoke`, { token: 'the-token' }, client),
    fetch(`${url}/api/v1/tokens`, { method: 'POST', body: '{"clientSecret":"the-secret"}' }),
    fetch(`${url}/api/v1/tokens?idFilter=the-id`, { headers: { authorization } }),
    fetch(`${url}/api/v1/tokens?idFilter=the-id`, { method: 'DELETE', headers: { authorization } }),
    fetch(`${url}/the-path?the-query`, { headers: { authorization, 'x-header': 'the-header' } }),
    fetch(`${url}/.well-known/jwks.json?the-query`),
  ];
  for (const response of await Promise.all(requests)) await response.text();
};

const lines = async (env: ServerEnv, count: number) => {
  await eventually(() => expect(env.requests()).toHaveLength(count));
  return env.requests().toSorted((a, b) => keyOf(a).localeCompare(keyOf(b)));
};
const keyOf = ({ route, method }: Readonly<Record<string, unknown>>): string => `${route} ${method}`;

test('each successful request is one line, with names and counts', async () => {
  await using env = await openServerEnv();
  await callAll(env);
  const common = { code: 200, ms: expect.any(Number), address: '127.0.0.1' };
  const tokens = `${BASE}/api/v1/tokens`;
  expect(await lines(env, 8)).toEqual([
    { ...common, level: 'debug', route: `${BASE}/.well-known/jwks.json`, method: 'GET' },
    {
      ...common,
      level: 'info',
      route: tokens,
      method: 'DELETE',
      client: 'ns/client',
      blacklisted: 1,
      deleted: 2,
    },
    { ...common, level: 'debug', route: tokens, method: 'GET', client: 'ns/client', tokens: 1 },
    { ...common, level: 'info', route: tokens, method: 'POST', jti: 'jti', client: 'client-id' },
    {
      ...common,
      level: 'debug',
      route: `${BASE}/oauth/introspect`,
      method: 'POST',
      active: true,
      jti: 'jti',
    },
    {
      ...common,
      level: 'info',
      route: `${BASE}/oauth/revoke`,
      method: 'POST',
      client: 'client-id',
      jti: 'jti',
    },
    {
      ...common,
      level: 'info',
      route: `${BASE}/oauth/token`,
      method: 'POST',
      jti: 'jti',
      client: 'client-id',
    },
    { ...common, level: 'info', route: 'unknown', method: 'GET', code: 404 },
  ]);
});

test('each request is counted, with its seconds', async () => {
  await using env = await openServerEnv();
  await callAll(env);
  await lines(env, 8);
  const { calls } = env.metrics;
  expect(calls).toHaveLength(8);
  expect(calls).toContainEqual([
    'httpRequest',
    { route: `${BASE}/oauth/token`, method: 'POST', code: '200' },
    expect.any(Number),
  ]);
  expect(calls).toContainEqual([
    'httpRequest',
    { route: 'unknown', method: 'GET', code: '404' },
    expect.any(Number),
  ]);
  for (const [, , seconds] of calls) expect(seconds).toBeLessThan(5);
});

test.each<[string, unknown, object]>([
  [
    'a rejection is logged with its reason and detail',
    refused('invalid_scope', 'no such scope', 'scopes of the client'),
    {
      level: 'info',
      code: 400,
      failure: 'Refused',
      why: 'no such scope',
      reason: 'invalid_scope',
      detail: 'scopes of the client',
    },
  ],
  [
    'what is out of reach is a warning, with its cause',
    new IssuerFailure('Unavailable', 'later', { cause: new Error('refused by the API server') }),
    {
      level: 'warn',
      code: 503,
      failure: 'Unavailable',
      why: 'later',
      error: new Error('refused by the API server'),
    },
  ],
  [
    'an error of ours is an error, with its cause',
    new TypeError('x is not a function'),
    { level: 'error', code: 500, error: new TypeError('x is not a function') },
  ],
])('%s', async (_name, error, expected) => {
  await using env = await openServerEnv({
    createToken: async () => {
      throw error;
    },
  });
  await postForm(`${env.url}/oauth/token`, { grant_type: 'client_credentials' });
  const common = {
    route: `${BASE}/oauth/token`,
    method: 'POST',
    ms: expect.any(Number),
    address: '127.0.0.1',
  };
  expect(await lines(env, 1)).toEqual([{ ...common, ...expected }]);
});

test('what is used up is a warning', async () => {
  await using env = await openServerEnv({
    createToken: async () => {
      throw new IssuerFailure('Exhausted', 'enough');
    },
  });
  await fetch(`${env.url}/api/v1/tokens`, { method: 'POST', body: '{}' });
  expect(await lines(env, 1)).toMatchObject([{ level: 'warn', code: 429, failure: 'Exhausted' }]);
});

test.each([
  ['a path that is none', 'GET /eyJzZWNyZXQ/x?y', 'unknown', 'GET', 404],
  ['a path that can not be read', 'GET /%zz', 'unknown', 'GET', 400],
  ['another spelling of a path', `GET ${BASE}/oauth/%74oken`, 'unknown', 'GET', 404],
  ['another method', `PUT ${BASE}/oauth/token`, `${BASE}/oauth/token`, 'PUT', 405],
  ['a method that is rare', `PROPFIND ${BASE}/oauth/token`, `${BASE}/oauth/token`, 'other', 405],
  ['OPTIONS', `OPTIONS ${BASE}/oauth/token`, `${BASE}/oauth/token`, 'OPTIONS', 204],
  ['HEAD', `HEAD ${BASE}/openapi.json`, `${BASE}/openapi.json`, 'HEAD', 200],
])('%s is named by its route alone', async (_name, line, route, method, code) => {
  await using env = await openServerEnv();
  await sendRaw(env.port, rawRequest(line, { Connection: 'close' }));
  expect(await lines(env, 1)).toEqual([
    expect.objectContaining({ route, method, code, address: '127.0.0.1' }),
  ]);
  expect(env.metrics.calls[0]?.[1]).toEqual({ route, method, code: String(code) });
});

test('nothing that a caller sends is in any line, but a name that is ours', async () => {
  await using env = await openServerEnv();
  await callAll(env);
  await using failing = await openServerEnv({
    createToken: async () => {
      throw new Error('broken');
    },
    authenticateSelf: async () => {
      throw new IssuerFailure('BearerInvalid', 'bad bearer');
    },
  });
  await callAll(failing);
  await fetch(`${failing.url}/oauth/token`, {
    method: 'POST',
    headers: FORM,
    body: 'the-parameter=1&the-parameter=2',
  });
  await fetch(`${failing.url}/oauth/token`, {
    method: 'POST',
    headers: { 'content-type': 'the/type' },
    body: 'the-body',
  });
  await fetch(`${failing.url}/api/v1/tokens?the-query=1`, { method: 'DELETE' });
  await lines(env, 8);
  await lines(failing, 11);
  const text = JSON.stringify([env.log.lines, failing.log.lines]);
  expect(text).toContain('HTTP request');
  expect(text).not.toMatch(/the[-/]/u);
  expect(text).not.toContain('access-token');
});

describe('the address of a caller', () => {
  const addressOf = async (
    trustedProxies: readonly string[],
    headers: Readonly<Record<string, string>>,
  ): Promise<unknown> => {
    await using env = await openServerEnv({}, { trustedProxies });
    await fetch(`${env.url}/api/v1/tokens`, { method: 'POST', body: '{}', headers });
    const [line] = await lines(env, 1);
    expect(env.calls[0]?.[2]).toEqual({ address: line?.address });
    return line?.address;
  };

  test.each<[string, string[], string, string]>([
    ['is what a proxy says that is trusted', ['127.0.0.1'], '192.0.2.1', '192.0.2.1'],
    ['is what a trusted network says', ['10.0.0.0/8', '127.0.0.0/8'], '192.0.2.1', '192.0.2.1'],
    ['is not taken from an untrusted header', [], '192.0.2.1', '127.0.0.1'],
    ['is not what a proxy says that is not trusted', ['10.0.0.0/8'], '192.0.2.1', '127.0.0.1'],
    [
      'is the last that no trusted proxy is',
      ['127.0.0.1', '10.0.0.0/8'],
      '198.51.100.9, 192.0.2.1, 10.0.0.5',
      '192.0.2.1',
    ],
    ['is plain where the proxy has it mapped', ['127.0.0.1'], '::ffff:192.0.2.1', '192.0.2.1'],
    ['is an IPv6 address too', ['127.0.0.1'], '2001:db8::1', '2001:db8::1'],
    ['is the proxy’s own where that says no address', ['127.0.0.1'], 'the-secret', '127.0.0.1'],
    ['is the proxy’s own where that says nothing', ['127.0.0.1'], '', '127.0.0.1'],
  ])('%s', async (_name, trusted, forwarded, address) => {
    expect(await addressOf(trusted, { 'x-forwarded-for': forwarded })).toBe(address);
  });

  test('is never of another header', async () => {
    const headers = { forwarded: 'for=192.0.2.1', 'x-real-ip': '192.0.2.1', 'x-client-ip': '192.0.2.1' };
    expect(await addressOf(['127.0.0.1'], headers)).toBe('127.0.0.1');
  });
});
