import { once } from 'node:events';
import { expect, test } from '@jest/globals';
import { IssuerFailure } from '../../../../operator/issuer/failure.ts';
import { LISTENER_LIMITS } from '../../../../operator/servers/http/limits.ts';
import { eventually } from '../../../support/eventually.ts';
import { tokenRecord } from '../grpc/server-env.ts';
import { CHUNK, haltingList, lineOf, longList, settled, startUnreadList } from './lists.ts';
import { RawConnection, rawRequest } from './raw-http.ts';
import { BASE, openServerEnv, type ServerEnv, TOKEN } from './server-env.ts';

// Real sockets and timers on a machine that may be busy.
/** Lists that are long, and callers that read slowly, go, or do not go on. */

const CHUNK_BYTES = CHUNK.map(lineOf).join('').length;
/** What sockets on loopback hold between them. */
const MOST_UNREAD = 16 * 1024 * 1024;
const SHORT = { ...LISTENER_LIMITS, checkMs: 50, stallMs: 300, keepAliveMs: 300 };

const list = async ({ url }: ServerEnv): Promise<Response> =>
  fetch(`${url}/api/v1/tokens`, { headers: { authorization: 'Bearer b' } });

test.each([
  ['nothing', [], 0],
  ['one piece', [[tokenRecord('one'), tokenRecord('two')]], 2],
  ['several pieces', [[tokenRecord('one')], [], [tokenRecord('two')], [tokenRecord('three')]], 3],
])('a list of %s has one line a token', async (_name, chunks, tokens) => {
  await using env = await openServerEnv({
    async *listTokens() {
      yield* chunks;
    },
  });
  const response = await list(env);
  expect(response.headers.get('content-type')).toBe('application/json; charset=utf-8');
  expect(await response.text()).toBe(chunks.flat().map(lineOf).join(''));
  await eventually(() => expect(env.requests()).toEqual([expect.objectContaining({ code: 200, tokens })]));
});

test('the first tokens come before the last are known', async () => {
  const { goOn, listTokens } = haltingList();
  await using env = await openServerEnv({ listTokens });
  await using connection = new RawConnection(env.port);
  connection.write(rawRequest(`GET ${BASE}/api/v1/tokens`, { Authorization: 'Bearer b' }));
  await eventually(() => connection.received.includes(lineOf(tokenRecord('two'))));
  goOn();
  expect((await connection.answer())?.body).toContain('three');
});

test('a reader that pauses is waited for, and nothing piles up meanwhile', async () => {
  const { seen, listTokens } = longList();
  await using env = await openServerEnv({ listTokens });
  await using connection = startUnreadList(env);
  const before = await settled(() => seen.chunks);
  expect(before * CHUNK_BYTES).toBeLessThan(MOST_UNREAD);
  connection.socket.resume();
  await eventually(() => seen.chunks > 2 * before);
});

test('a caller that disconnects in the middle ends the list, and the log distinguishes it', async () => {
  const { seen, listTokens } = longList();
  await using env = await openServerEnv({ listTokens });
  await using connection = startUnreadList(env);
  await settled(() => seen.chunks);
  expect(seen.ended).toBe(false);
  connection.socket.destroy();
  await eventually(() => seen.ended && seen.aborted);
  await eventually(() => expect(env.requests()).toHaveLength(1));
  expect(env.requests()[0]).toMatchObject({ level: 'info', code: 499, route: `${BASE}/api/v1/tokens` });
  expect(env.requests()[0]).not.toHaveProperty('error');
});

test('a caller that goes before there is anything to read ends the list as well', async () => {
  let isCalled = false;
  let ended = false;
  await using env = await openServerEnv({
    async *listTokens(_bearer, _query, { signal }) {
      isCalled = true;
      try {
        await new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
      } finally {
        ended = true;
      }
    },
  });
  await using connection = startUnreadList(env);
  await eventually(() => isCalled);
  connection.socket.destroy();
  await eventually(() => ended);
  await eventually(() => expect(env.requests()).toEqual([expect.objectContaining({ code: 499 })]));
});

test('a token that is issued for a caller that has disconnected is logged all the same', async () => {
  await using env = await openServerEnv({
    createToken: async (_request, { signal }) => {
      await once(signal, 'abort');
      return TOKEN;
    },
  });
  await using connection = new RawConnection(env.port);
  connection.write(rawRequest(`POST ${BASE}/api/v1/tokens`, { 'Content-Length': '2' }, '{}'));
  await eventually(() => env.calls.length === 1);
  connection.socket.destroy();
  await eventually(() => expect(env.requests()).toHaveLength(1));
  expect(env.requests()[0]).toMatchObject({ code: 499, jti: TOKEN.id, client: TOKEN.clientID });
});

test('a list that fails before its first tokens are sent is an error like any other', async () => {
  await using env = await openServerEnv({
    async *listTokens() {
      yield [tokenRecord('one')];
      throw new IssuerFailure('Unavailable', 'the rest is out of reach');
    },
  });
  const response = await list(env);
  expect([response.status, await response.json()]).toEqual([
    503,
    { code: 14, message: 'cannot get tokens: the rest is out of reach' },
  ]);
});

test('a list that fails later is broken off, so that half of it can not pass for all', async () => {
  const cause = new Error('a read failed');
  await using env = await openServerEnv({
    async *listTokens() {
      yield [tokenRecord('one')];
      yield [tokenRecord('two')];
      throw new IssuerFailure('Unavailable', 'the rest is out of reach', { cause });
    },
  });
  await using connection = new RawConnection(env.port);
  connection.write(rawRequest(`GET ${BASE}/api/v1/tokens`, { Authorization: 'Bearer b' }));
  expect(await connection.answer()).toBeUndefined();
  await eventually(() => expect(env.requests()).toHaveLength(1));
  expect(env.requests()[0]).toMatchObject({
    level: 'warn',
    code: 503,
    brokenOff: true,
    tokens: 2,
    why: 'the rest is out of reach',
    error: cause,
  });
});

test('a reader that leaves its answer alone is cut off', async () => {
  const { seen, listTokens } = longList();
  await using env = await openServerEnv({ listTokens }, { limits: SHORT });
  await using connection = startUnreadList(env);
  await settled(() => seen.chunks);
  await eventually(() => seen.ended && seen.aborted);
  connection.socket.resume();
  await connection.closed;
});

test('a reader that is slow is not', async () => {
  const limits = { ...SHORT, stallMs: 1000 };
  const { seen, listTokens } = longList(Number.POSITIVE_INFINITY, CHUNK.slice(0, 1));
  await using env = await openServerEnv({ listTokens }, { limits });
  await using connection = startUnreadList(env);
  const until = performance.now() + 2 * limits.stallMs;
  while (performance.now() < until) {
    const before = seen.chunks;
    connection.socket.resume();
    await eventually(() => seen.chunks > before + 20);
    connection.socket.pause();
  }
  expect(seen.aborted).toBe(false);
});

test('a caller that waits for an answer is not either', async () => {
  const made = Promise.withResolvers<typeof TOKEN>();
  await using env = await openServerEnv({ createToken: () => made.promise }, { limits: SHORT });
  await using waiting = new RawConnection(env.port);
  waiting.write(rawRequest(`POST ${BASE}/api/v1/tokens`, { 'Content-Length': '2' }, '{}'));
  await using idle = new RawConnection(env.port);
  idle.write(rawRequest(`GET ${BASE}/nothing`));
  await idle.answer();
  // As long as it takes to close a connection that became idle later.
  await idle.closed;
  made.resolve(TOKEN);
  expect((await waiting.answer())?.status).toBe(200);
});

test('and is still cut off if it leaves the answer alone that it waited for', async () => {
  const { seen, listTokens } = longList();
  const go = Promise.withResolvers<void>();
  await using env = await openServerEnv(
    {
      authenticateSelf: async () => {
        await go.promise;
        return { bearer: { owner: 'owner', onlyID: undefined, client: undefined }, own: undefined };
      },
      listTokens,
    },
    { limits: SHORT },
  );
  await using _ = startUnreadList(env);
  await using idle = new RawConnection(env.port);
  idle.write(rawRequest(`GET ${BASE}/nothing`));
  await idle.closed;
  go.resolve();
  await eventually(() => seen.ended && seen.aborted);
});
