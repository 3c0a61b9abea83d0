import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type FailureCode, IssuerFailure, refused } from '../../../../operator/issuer/failure.ts';
import type { Issuer } from '../../../../operator/issuer/use-cases.ts';
import { systemClock } from '../../../../operator/ops/system-clock.ts';
import {
  LISTENER_LIMITS,
  MAX_BODY_BYTES,
  MAX_HEADER_FIELDS,
} from '../../../../operator/servers/http/limits.ts';
import { eventually } from '../../../support/eventually.ts';
import { tokenRecord } from '../grpc/server-env.ts';
import { haltingList } from './lists.ts';
import { type RawAnswer, RawConnection, rawRequest, sendRaw } from './raw-http.ts';
import { BASE, openServerEnv, type ServerEnv } from './server-env.ts';
import { type ReconcileResult, resultOf } from './verifier.ts';

// Real sockets and timers on a machine that may be busy.
/** No error under `/api/v1`, whichever layer makes it, passes for a valid token (spec §5). */

const API = `${BASE}/api/v1`;
const TOKENS = `${API}/tokens`;

describe('the verifier of these tests', () => {
  test.each<[string, number, string, ReconcileResult]>([
    ['a token', 200, '{"result":{"id":"one"}}\n', { kind: 'token', id: 'one' }],
    [
      'the first of several',
      200,
      '{"result":{"id":"one"}}\n{"result":{"id":"two"}}\n',
      { kind: 'token', id: 'one' },
    ],
    ['nothing', 200, '', { kind: 'nothing' }],
    ['an empty message', 200, '{}', { kind: 'mistaken for success' }],
    ['an error', 401, '{"code":16,"message":"no"}', { kind: 'error', code: 16 }],
    ['an error in a stream', 200, '{"error":{"code":16}}', { kind: 'error', code: 16 }],
    ['an OAuth error', 401, '{"error":"invalid_client"}', { kind: 'mistaken for success' }],
    [
      'fastify’s 503',
      503,
      '{"error":"Service Unavailable","message":"x","statusCode":503}',
      { kind: 'mistaken for success' },
    ],
    [
      'fastify’s errors',
      400,
      '{"code":"FST_ERR_BAD_URL","message":"x","statusCode":400}',
      { kind: 'unreadable' },
    ],
    ['no code', 500, '{"code":null}', { kind: 'mistaken for success' }],
    ['details', 401, '{"code":16,"details":[{"@type":"x"}]}', { kind: 'unreadable' }],
    ['no body', 400, '', { kind: 'unreadable' }],
  ])('recognizes %s', (_name, status, body, result) => {
    expect(resultOf({ status, body })).toEqual(result);
  });
});

/** A rejection that no verifier mistakes for success. */
const expectRefusal = (answer: RawAnswer | undefined): void => {
  // A connection that ends without an answer is an error to everybody.
  if (answer === undefined) return;
  expect(answer.status).toBeGreaterThanOrEqual(400);
  if (answer.body === '') return;
  expect(resultOf(answer)).toMatchObject({ kind: 'error', code: expect.any(Number) });
  expect(Object.keys(JSON.parse(answer.body)).sort()).toEqual(['code', 'message']);
  expect(answer.headers.get('content-type')).toBe('application/json; charset=utf-8');
  expect(answer.headers.get('cache-control')).toBe('no-store');
};

describe('what HTTP itself rejects', () => {
  let env: ServerEnv;
  beforeAll(async () => {
    env = await openServerEnv(
      {
        authenticateSelf: () => Promise.reject(new IssuerFailure('BearerInvalid', 'no')),
      },
      { limits: { ...LISTENER_LIMITS, headersMs: 300, requestMs: 600, checkMs: 50 } },
    );
  });
  afterAll(async () => {
    await env[Symbol.asyncDispose]();
  });

  const FORM = 'Content-Type: application/x-www-form-urlencoded';
  const post = (headers: readonly string[], body = '{}', path = TOKENS): string =>
    rawRequest(`POST ${path}`, [`Content-Length: ${Buffer.byteLength(body, 'latin1')}`, ...headers], body);

  test.each<[string, number | undefined, string]>([
    ['a path that is none', 404, rawRequest(`GET ${API}/nothing`)],
    ['the prefix alone', 404, rawRequest(`GET ${API}`)],
    ['a path below a route', 404, rawRequest(`GET ${TOKENS}/one`)],
    ['a slash at the end', 404, rawRequest(`GET ${TOKENS}/`)],
    ['another version', 404, rawRequest(`GET ${BASE}/api/v2/tokens`)],
    ['an encoded path', 404, rawRequest(`GET ${BASE}/api%2Fv1/tokens`)],
    ['a path that starts elsewhere', 404, rawRequest(`GET ${BASE}/oauth/../api/v1/tokens`)],
    ['a path that starts elsewhere, encoded', 404, rawRequest(`GET ${BASE}/oauth/%2e%2e/api/v1/tokens`)],
    ['two slashes', 404, rawRequest(`GET ${BASE}//api/v1/tokens`)],
    ['a URL with a user', 404, rawRequest(`GET http://user@issuer.example${TOKENS}`)],
    ['a URL of another issuer', 404, rawRequest('GET /other/api/v1/tokens')],
    ['an encoding that is none', 400, rawRequest(`GET ${API}/%zz`)],
    ['an encoding that is no UTF-8', 400, rawRequest(`GET ${API}/%ff`)],
    ['no slash at the start', 400, rawRequest(`GET ${TOKENS.slice(1)}`)],
    ['another method', 405, rawRequest(`PUT ${TOKENS}`)],
    ['a method that is rare', 405, rawRequest(`PROPFIND ${TOKENS}`)],
    ['TRACE', 405, rawRequest(`TRACE ${TOKENS}`)],
    ['QUERY without a type', 400, rawRequest(`QUERY ${TOKENS}`)],
    ['another method at no path', 404, rawRequest(`PUT ${API}/nothing`)],
    ['a method that is none', 400, rawRequest(`FOO ${TOKENS}`)],
    ['a form', 415, post([FORM], 'a=b')],
    ['a multipart form', 415, post(['Content-Type: multipart/form-data; boundary=x'], '--x--')],
    ['a type that is none', 415, post(['Content-Type: nonsense'])],
    ['a type that is empty', 415, post(['Content-Type: ;'])],
    ['a type that is none, at no path', 415, post(['Content-Type: nonsense'], '{}', `${API}/nothing`)],
    ['a packed body', 415, post(['Content-Encoding: gzip'])],
    [
      'a body that is too large',
      413,
      rawRequest(`POST ${TOKENS}`, { 'Content-Length': `${MAX_BODY_BYTES + 1}` }),
    ],
    [
      'a body that is too large, of DELETE',
      413,
      rawRequest(`DELETE ${TOKENS}`, { 'Content-Length': `${MAX_BODY_BYTES + 1}` }),
    ],
    ['no body', 400, rawRequest(`POST ${TOKENS}`)],
    ['a body that is no JSON', 400, post([], '{')],
    ['a body that is no object', 400, post([], '[]')],
    ['a body that is no UTF-8', 400, post([], '"\u00ff"')],
    ['a body that is no message', 400, post([], '{"audience":{}}')],
    ['a query that is no query', 400, rawRequest(`GET ${TOKENS}?includeBlacklisted=2`)],
    ['ids that are none', 400, rawRequest(`GET ${TOKENS}?idFilter=`)],
    ['too many ids', 400, rawRequest(`GET ${TOKENS}?${'idFilter=x&'.repeat(1001)}`)],
    ['two bearers', 401, rawRequest(`GET ${TOKENS}`, ['Authorization: Bearer a', 'Authorization: Bearer b'])],
    ['no bearer', 401, rawRequest(`GET ${TOKENS}`)],
    [
      'too many headers',
      431,
      rawRequest(
        `GET ${TOKENS}`,
        Array.from({ length: MAX_HEADER_FIELDS }, () => 'x: y'),
      ),
    ],
    ['headers that are too large', 431, rawRequest(`GET ${TOKENS}`, { x: 'y'.repeat(70_000) })],
    ['a URL that is too long', 431, rawRequest(`GET ${TOKENS}?idFilter=${'x'.repeat(70_000)}`)],
    ['a header that is none', 400, rawRequest(`GET ${TOKENS}`, ['no colon'])],
    ['two lengths', 400, rawRequest(`POST ${TOKENS}`, ['Content-Length: 1', 'Content-Length: 2'])],
    [
      'a length and chunks',
      400,
      rawRequest(`POST ${TOKENS}`, ['Content-Length: 1', 'Transfer-Encoding: chunked']),
    ],
    ['a chunk that is none', 400, rawRequest(`POST ${TOKENS}`, { 'Transfer-Encoding': 'chunked' }, 'x\r\n')],
    [
      'a chunk with much to say',
      413,
      rawRequest(`POST ${TOKENS}`, { 'Transfer-Encoding': 'chunked' }, `1;${'x'.repeat(17_000)}`),
    ],
    ['no Host', 400, `GET ${TOKENS} HTTP/1.1\r\n\r\n`],
    ['an expectation', 417, rawRequest(`GET ${TOKENS}`, { Expect: 'more' })],
    ['HTTP/2', 400, 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
    ['TLS', 400, '\u0016\u0003\u0001\u0002\u0000'],
    ['a tunnel', undefined, rawRequest('CONNECT issuer.example:443')],
    ['headers that do not come', 408, `GET ${TOKENS} HTTP/1.1\r\nHost: x\r\n`],
    ['a body that does not come', 408, rawRequest(`POST ${TOKENS}`, { 'Content-Length': '5' }, '{')],
  ])('%s is rejected in a recognizable way: %s', async (_name, status, request) => {
    const answer = await sendRaw(env.port, request);
    expect(answer?.status).toBe(status);
    expectRefusal(answer);
    expect(env.calls.filter(([name]) => name !== 'authenticateSelf')).toEqual([]);
  });
});

describe('what fails', () => {
  const FAILURES: Record<FailureCode, IssuerFailure> = {
    Refused: refused('invalid_client', 'no'),
    BearerInvalid: new IssuerFailure('BearerInvalid', 'no'),
    OwnerMissing: new IssuerFailure('OwnerMissing', 'no'),
    Malformed: new IssuerFailure('Malformed', 'no'),
    Unavailable: new IssuerFailure('Unavailable', 'no'),
    Exhausted: new IssuerFailure('Exhausted', 'no'),
    Limited: new IssuerFailure('Limited', 'no', { retryAfterSeconds: 3 }),
  };
  const errors: readonly (readonly [string, unknown])[] = [
    ...Object.entries(FAILURES),
    ['an error of ours', new TypeError('x')],
    ['an error that says 200', Object.assign(new Error('x'), { statusCode: 200, status: 200, code: 0 })],
    ['an error that says fastify’s', Object.assign(new Error('x'), { statusCode: 299, code: 'FST_ERR_X' })],
    ['an error with headers', Object.assign(new Error('x'), { headers: { 'content-type': 'text/html' } })],
    ['a text', 'x'],
    ['nothing', undefined],
    ['null', null],
  ];

  describe.each(errors)('with %s', (_name, error) => {
    const fail = async () => {
      throw error;
    };
    const places: readonly (readonly [string, string, Partial<Issuer>])[] = [
      ['creating', 'POST', { createToken: fail }],
      ['looking at the bearer', 'GET', { authenticateSelf: fail }],
      [
        'listing',
        'GET',
        {
          // biome-ignore lint/correctness/useYield: a list that fails before its first token
          async *listTokens() {
            throw error;
          },
        },
      ],
      [
        'going on with a list',
        'GET',
        {
          async *listTokens() {
            yield [tokenRecord('one')];
            throw error;
          },
        },
      ],
      ['looking at the bearer of DELETE', 'DELETE', { authenticateBearer: fail }],
      ['deleting', 'DELETE', { deleteTokens: fail }],
    ];

    test.each(places)('while %s', async (_where, method, issuer) => {
      await using env = await openServerEnv(issuer);
      const answer = await sendRaw(
        env.port,
        rawRequest(`${method} ${TOKENS}`, { Authorization: 'Bearer x', 'Content-Length': '2' }, '{}'),
      );
      expect(answer?.status).toBeGreaterThanOrEqual(400);
      expectRefusal(answer);
    });

    test('in the middle of a list: there is no whole answer', async () => {
      await using env = await openServerEnv({
        async *listTokens() {
          yield [tokenRecord('one')];
          yield [tokenRecord('two')];
          throw error;
        },
      });
      expect(await sendRaw(env.port, rawRequest(`GET ${TOKENS}`))).toBeUndefined();
    });
  });
});

test('a request while the server stops', async () => {
  const list = haltingList();
  let begun = 0;
  const clock = { ...systemClock, monotonic: () => begun++ };
  await using env = await openServerEnv(list, { clock });
  await using connection = new RawConnection(env.port);
  connection.write(rawRequest(`GET ${TOKENS}`));
  await eventually(() => connection.received.includes('one'));
  const stopping = env.server.stop(60_000);
  connection.write(rawRequest(`GET ${TOKENS}?idFilter=x&includeBlacklisted=true`));
  await eventually(() => begun === 2);
  list.goOn();
  expect((await connection.answer())?.status).toBe(200);
  const answer = await connection.answer();
  expect(answer?.status).toBe(503);
  expectRefusal(answer);
  await stopping;
});

describe('what goes well', () => {
  test.each<[string, string, ReconcileResult]>([
    ['a token', 'one', { kind: 'token', id: 'one' }],
    ['no token', '', { kind: 'nothing' }],
  ])('%s is what it is', async (_name, id, result) => {
    await using env = await openServerEnv({
      async *listTokens() {
        if (id !== '') yield [tokenRecord(id)];
      },
    });
    const answer = await sendRaw(env.port, rawRequest(`GET ${TOKENS}`, { Authorization: 'Bearer x' }));
    expect(answer && resultOf(answer)).toEqual(result);
  });
});
