import { describe, expect, test } from '@jest/globals';
import { systemClock } from '../../../../operator/ops/system-clock.ts';
import {
  LISTENER_LIMITS,
  MAX_BODY_BYTES,
  MAX_HEADER_FIELDS,
  MAX_PIPELINED,
} from '../../../../operator/servers/http/limits.ts';
import { eventually } from '../../../support/eventually.ts';
import { recordedMetrics } from '../../../support/quiet.ts';
import { testLoadLimits } from '../listener/test-load-limits.ts';
import { RawConnection, rawRequest, sendRaw } from './raw-http.ts';
import { BASE, openServerEnv, type ServerEnv } from './server-env.ts';

// Real sockets and timers on a machine that may be busy.
/** Requests that must not harm the server: after each of them it answers the next request. */

const TOKENS = `${BASE}/api/v1/tokens`;
const FORM = { 'Content-Type': 'application/x-www-form-urlencoded' };
const SHORT = { ...LISTENER_LIMITS, headersMs: 300, requestMs: 600, checkMs: 50, keepAliveMs: 300 };

const answers = async ({ url }: ServerEnv): Promise<void> => {
  expect((await fetch(`${url}/.well-known/jwks.json`)).status).toBe(200);
};

const UNKNOWN = { route: 'unknown', method: 'other', address: '127.0.0.1' };

describe('what is too large', () => {
  test.each([
    ['/oauth/token', { error: 'invalid_request', error_description: 'the body is too large' }],
    ['/api/v1/tokens', { code: 8, message: 'the body is too large' }],
    ['/nothing', { code: 8, message: 'the body is too large' }],
  ])('a body for %s is rejected before it has been received', async (path, body) => {
    await using env = await openServerEnv();
    const headers = { ...FORM, 'Content-Length': String(MAX_BODY_BYTES + 1) };
    const answer = await sendRaw(env.port, rawRequest(`POST ${BASE}${path}`, headers));
    expect([answer?.status, answer?.headers.get('connection')]).toEqual([413, 'close']);
    expect(JSON.parse(answer?.body ?? '')).toEqual(body);
    expect(env.calls).toEqual([]);
    await answers(env);
  });

  test('a body without a length is rejected as soon as it is', async () => {
    await using env = await openServerEnv();
    await using connection = new RawConnection(env.port);
    connection.write(rawRequest(`DELETE ${TOKENS}`, { 'Transfer-Encoding': 'chunked' }));
    const chunk = `4000\r\n${'x'.repeat(0x4000)}\r\n`;
    connection.write(chunk, chunk, chunk, chunk, '1\r\nx\r\n');
    expect(await connection.answer()).toMatchObject({ status: 413 });
    await connection.closed;
    expect(env.calls).toEqual([]);
    await answers(env);
  });

  test('the largest body is read', async () => {
    await using env = await openServerEnv();
    const body = `{"x":"${'x'.repeat(MAX_BODY_BYTES - 8)}"}`;
    expect((await fetch(`${env.url}/api/v1/tokens`, { method: 'POST', body })).status).toBe(200);
  });

  test.each([
    ['headers', rawRequest(`GET ${TOKENS}`, { Authorization: `Bearer ${'x'.repeat(66_000)}` })],
    ['a URL', rawRequest(`GET ${TOKENS}?idFilter=${'x'.repeat(66_000)}`)],
  ])('%s beyond 64 KiB are rejected without a body', async (_name, request) => {
    await using env = await openServerEnv();
    await using connection = new RawConnection(env.port);
    expect(await connection.write(request).answer()).toMatchObject({ status: 431, body: '' });
    await connection.closed;
    expect(env.requests()).toEqual([{ ...UNKNOWN, level: 'info', code: 431, ms: 0 }]);
    await answers(env);
  });

  test('headers of 60 KiB are read', async () => {
    await using env = await openServerEnv();
    const headers = { Authorization: `Bearer ${'x'.repeat(60 * 1024)}` };
    expect(await sendRaw(env.port, rawRequest(`GET ${TOKENS}`, headers))).toMatchObject({ status: 200 });
  });

  const fields = (count: number): string[] => Array.from({ length: count }, (_, at) => `x-${at}: x`);

  test('too many headers are rejected', async () => {
    await using env = await openServerEnv();
    const answer = await sendRaw(env.port, rawRequest(`GET ${TOKENS}`, fields(MAX_HEADER_FIELDS)));
    expect([answer?.status, JSON.parse(answer?.body ?? '')]).toEqual([
      431,
      { code: 8, message: 'there are too many headers' },
    ]);
    expect(env.calls).toEqual([]);
    // Node drops those beyond the 2,000th in silence.
    expect(await sendRaw(env.port, rawRequest(`GET ${TOKENS}`, fields(5000)))).toMatchObject({
      status: 431,
    });
  });

  test('chunk extensions are rejected', async () => {
    await using env = await openServerEnv();
    const request = rawRequest(`POST ${TOKENS}`, { 'Transfer-Encoding': 'chunked' });
    const extension = `1;${'x'.repeat(17_000)}\r\nx\r\n`;
    expect(await sendRaw(env.port, request, extension)).toMatchObject({ status: 413, body: '' });
    expect(env.calls).toEqual([]);
    await answers(env);
  });
});

describe('what is too slow', () => {
  test.each([
    ['nothing', ''],
    ['half a line', 'GET /m2m'],
    ['half of the headers', `GET ${TOKENS} HTTP/1.1\r\nHost: x\r\nAuthoriz`],
  ])('%s is answered with 408, and cut off', async (_name, bytes) => {
    await using env = await openServerEnv({}, { limits: SHORT });
    await using connection = new RawConnection(env.port);
    if (bytes !== '') connection.write(bytes);
    expect(await connection.answer()).toMatchObject({ status: 408, body: '' });
    await connection.closed;
    expect(env.requests()).toEqual([{ ...UNKNOWN, level: 'info', code: 408, ms: 0 }]);
    await answers(env);
  });

  test.each(['POST', 'DELETE'])('half of the body of a %s is as well', async (method) => {
    await using env = await openServerEnv({}, { limits: SHORT });
    await using connection = new RawConnection(env.port);
    connection.write(rawRequest(`${method} ${TOKENS}`, { 'Content-Length': '10' }, '{"a'));
    expect(await connection.answer()).toMatchObject({ status: 408, body: '' });
    await connection.closed;
    expect(env.calls).toEqual([]);
    await eventually(() =>
      expect(env.requests()).toEqual([
        expect.objectContaining({ route: TOKENS, method, code: 408, level: 'info' }),
      ]),
    );
    expect(env.requests()[0]).not.toHaveProperty('error');
    await answers(env);
  });

  test('a connection that is idle is let go', async () => {
    await using env = await openServerEnv({}, { limits: SHORT });
    await using connection = new RawConnection(env.port);
    connection.write(rawRequest(`GET ${BASE}/.well-known/jwks.json`));
    expect(await connection.answer()).toMatchObject({ status: 200 });
    await connection.closed;
  });
});

test.each<[string, number, (connection: RawConnection) => void]>([
  ['ends', 400, ({ socket }) => void socket.end()],
  ['is reset', 499, ({ socket }) => void socket.resetAndDestroy()],
])('a connection that %s in the middle of a body is logged', async (_name, code, leave) => {
  let begun = 0;
  const clock = { ...systemClock, monotonic: () => begun++ };
  await using env = await openServerEnv({}, { clock });
  await using connection = new RawConnection(env.port);
  connection.write(rawRequest(`POST ${TOKENS}`, { 'Content-Length': '10' }, '{"a'));
  await eventually(() => begun === 1);
  leave(connection);
  await eventually(() => expect(env.requests()).toHaveLength(1));
  expect(env.requests()).toEqual([expect.objectContaining({ code, level: 'info' })]);
  expect(env.requests()[0]).not.toHaveProperty('error');
  expect(env.calls).toEqual([]);
});

test('what can not be read behind an answer that has begun is not answered', async () => {
  const halt = Promise.withResolvers<void>();
  await using env = await openServerEnv({
    async *listTokens() {
      yield [];
      yield [];
      await halt.promise;
    },
  });
  await using connection = new RawConnection(env.port);
  connection.write(rawRequest(`GET ${TOKENS}`));
  await eventually(() => connection.received.includes('200 OK'));
  connection.write('GARBAGE\r\n\r\n');
  await connection.closed;
  expect(connection.received).not.toContain('400');
  halt.resolve();
});

describe('a connection beyond the limit of its address', () => {
  const openConnection = (env: ServerEnv, path: string): RawConnection => {
    const connection = new RawConnection(env.port);
    connection.write(rawRequest(`GET ${path}`));
    return connection;
  };

  test('takes the place of one on which no caller has authenticated', async () => {
    const load = testLoadLimits({ perAddress: { connections: 2 } });
    await using env = await openServerEnv({}, { load });
    await using anonymous = openConnection(env, `${BASE}/.well-known/jwks.json`);
    expect((await anonymous.answer())?.status).toBe(200);
    await using known = openConnection(env, TOKENS);
    expect((await known.answer())?.status).toBe(200);
    await using next = openConnection(env, TOKENS);
    expect((await next.answer())?.status).toBe(200);
    await anonymous.closed;
    expect(known.socket.destroyed).toBe(false);
  });

  test('is closed at once where all others are of use, and one that ends makes room', async () => {
    const metrics = recordedMetrics();
    const load = testLoadLimits({ perAddress: { connections: 2 }, metrics });
    await using env = await openServerEnv({}, { load });
    await using first = openConnection(env, TOKENS);
    await using second = openConnection(env, TOKENS);
    expect([(await first.answer())?.status, (await second.answer())?.status]).toEqual([200, 200]);
    await using third = openConnection(env, TOKENS);
    expect(await third.answer()).toBeUndefined();
    expect(metrics.calls).toEqual([['limited', 'http', 'addressConnections', 'refused']]);
    first.socket.destroy();
    await eventually(async () => {
      await using fourth = openConnection(env, TOKENS);
      return (await fourth.answer())?.status === 200;
    });
  });
});

test('a client that sends more and more requests without reading the responses loses its connection', async () => {
  await using env = await openServerEnv();
  await using connection = new RawConnection(env.port);
  connection.write(rawRequest(`GET ${TOKENS}`).repeat(500));
  await connection.closed;
  expect(env.calls.filter(([name]) => name === 'listTokens').length).toBeLessThanOrEqual(MAX_PIPELINED + 1);
  expect(env.metrics.calls).toContainEqual(['limited', 'http', 'pipelinedRequests', 'shed']);
  await answers(env);
});
