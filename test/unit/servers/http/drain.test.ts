import { once } from 'node:events';
import { createServer } from 'node:net';
import { describe, expect, test } from '@jest/globals';
import { systemClock } from '../../../../operator/ops/system-clock.ts';
import { createHttpServer } from '../../../../operator/servers/http/server.ts';
import { eventually } from '../../../support/eventually.ts';
import { recordedLog, recordedMetrics } from '../../../support/quiet.ts';
import { PLAIN, tokenRecord } from '../grpc/server-env.ts';
import { testLoadLimits } from '../listener/test-load-limits.ts';
import { haltingList, lineOf, longList, startUnreadList } from './lists.ts';
import { RawConnection, rawRequest } from './raw-http.ts';
import { BASE, ISSUER_URL, openServerEnv, type ServerEnv, TestKeys, TOKEN } from './server-env.ts';

// Real sockets and timers on a machine that may be busy.
/** Start and stop of a server. */

const LIST = rawRequest(`GET ${BASE}/api/v1/tokens`, { Authorization: 'Bearer b' });
const CREATE = rawRequest(
  `POST ${BASE}/oauth/token`,
  { 'Content-Type': 'application/x-www-form-urlencoded', 'Content-Length': '39' },
  'grant_type=client_credentials&client_id',
);

/** A token that is issued when the test releases it. */
const haltingToken = () => {
  const halt = Promise.withResolvers<typeof TOKEN>();
  let isCalled = false;
  return {
    isCalled: () => isCalled,
    issueToken: () => halt.resolve(TOKEN),
    createToken: () => {
      isCalled = true;
      return halt.promise;
    },
  };
};

const refusesConnections = async ({ port }: ServerEnv): Promise<void> => {
  await using late = new RawConnection(port);
  await late.closed;
};

test('the start is logged, with the port and how it is protected', async () => {
  await using env = await openServerEnv();
  expect(env.log.lines).toEqual([
    {
      level: 'info',
      message: 'HTTP listener started',
      fields: { host: '127.0.0.1', port: env.port, tls: 'plaintext' },
    },
  ]);
});

describe('while it stops', () => {
  test('an answer under way comes, says that it is the last, and then the connection ends', async () => {
    const token = haltingToken();
    await using env = await openServerEnv(token);
    await using connection = new RawConnection(env.port);
    connection.write(CREATE);
    await eventually(token.isCalled);
    const stopping = env.server.stop(60_000);
    await refusesConnections(env);
    token.issueToken();
    const answer = await connection.answer();
    expect([answer?.status, answer?.headers.get('connection')]).toEqual([200, 'close']);
    await connection.closed;
    await stopping;
  });

  test('a stream goes on to its end, and then the connection ends', async () => {
    const list = haltingList();
    await using env = await openServerEnv(list);
    await using connection = new RawConnection(env.port);
    connection.write(LIST);
    await eventually(() => connection.received.includes('one'));
    const stopping = env.server.stop(60_000);
    list.goOn();
    const answer = await connection.answer();
    expect(answer?.body.trimEnd().split('\n')).toHaveLength(3);
    await stopping;
    expect(connection.received).toBe('');
  });

  test('a list that is still being read is not cut short', async () => {
    const { seen, listTokens } = longList(80);
    await using env = await openServerEnv({ listTokens });
    await using connection = startUnreadList(env);
    await eventually(() => seen.chunks > 10);
    const stopping = env.server.stop(60_000);
    connection.socket.resume();
    const answer = await connection.answer();
    expect(answer?.body.trimEnd().split('\n')).toHaveLength(8000);
    await stopping;
  });

  test('nor is an answer that is all written, and not all read', async () => {
    const { seen, listTokens } = longList(
      1,
      Array.from({ length: 40_000 }, () => tokenRecord('one')),
    );
    await using env = await openServerEnv({ listTokens });
    await using connection = startUnreadList(env);
    await eventually(() => seen.ended);
    const stopping = env.server.stop(60_000);
    connection.socket.resume();
    expect((await connection.answer())?.body).toHaveLength(40_000 * lineOf(tokenRecord('one')).length);
    await stopping;
  });

  test.each([
    ['/oauth/token', { error: 'temporarily_unavailable' }],
    ['/api/v1/tokens', { code: 14 }],
    ['/nothing', { code: 14 }],
  ])('a request for %s on a kept-alive connection gets Connection: close', async (path, body) => {
    const list = haltingList();
    let begun = 0;
    const clock = { ...systemClock, monotonic: () => begun++ };
    await using env = await openServerEnv(list, { clock });
    await using connection = new RawConnection(env.port);
    connection.write(LIST);
    await eventually(() => connection.received.includes('one'));
    const stopping = env.server.stop(60_000);
    connection.write(rawRequest(`GET ${BASE}${path}`));
    await eventually(() => begun === 2);
    list.goOn();
    expect((await connection.answer())?.status).toBe(200);
    const answer = await connection.answer();
    expect([answer?.status, answer?.headers.get('connection')]).toEqual([503, 'close']);
    expect(answer?.headers.get('retry-after')).toBe('1');
    expect(JSON.parse(answer?.body ?? '')).toMatchObject(body);
    await stopping;
    expect(env.calls).toHaveLength(2);
  });

  test('idle connections are let go at once', async () => {
    await using env = await openServerEnv();
    await using fresh = new RawConnection(env.port);
    await using used = new RawConnection(env.port);
    used.write(LIST);
    await used.answer();
    await fresh.connected;
    const before = performance.now();
    await env.server.stop(60_000);
    expect(performance.now() - before).toBeLessThan(10_000);
    await Promise.all([fresh.closed, used.closed]);
  });

  test('what still runs at the deadline is cut off, and its use case aborted', async () => {
    const list = haltingList();
    await using env = await openServerEnv(list);
    await using connection = new RawConnection(env.port);
    connection.write(LIST);
    await eventually(() => connection.received.includes('one'));
    await env.server.stop(300);
    expect(await connection.answer()).toBeUndefined();
    await eventually(() => list.seen.aborted && list.seen.ended);
  });
});

const plainServer = (port: number) =>
  createHttpServer({
    address: { host: '127.0.0.1', port },
    tls: PLAIN,
    corsOrigins: [],
    trustedProxies: [],
    issuerUrl: ISSUER_URL,
    issuer: {} as never,
    keys: new TestKeys(),
    version: '0',
    load: testLoadLimits(),
    clock: systemClock,
    log: recordedLog(),
    metrics: recordedMetrics(),
  });

test('a server that has not started can be stopped', async () => {
  await plainServer(0).stop(1000);
});

test('an address that is taken fails the start', async () => {
  const other = createServer().listen(0, '127.0.0.1');
  await once(other, 'listening');
  const { port } = other.address() as { port: number };
  const server = plainServer(port);
  await expect(server.start(new AbortController().signal)).rejects.toMatchObject({ code: 'EADDRINUSE' });
  await server.stop(1000);
  other.close();
});

test('a start that is called off does not listen', async () => {
  const server = plainServer(0);
  await expect(server.start(AbortSignal.abort())).rejects.toThrow();
  await server.stop(1000);
});
