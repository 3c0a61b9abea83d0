import { once } from 'node:events';
import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect as connectHttp2,
  constants,
  type OutgoingHttpHeaders,
} from 'node:http2';
import { connect, type Socket } from 'node:net';
import { expect, test } from '@jest/globals';
import type { LoadLimits } from '../../../../operator/servers/listener/load-limits.ts';
import { eventually } from '../../../support/eventually.ts';
import { FakeClock } from '../../../support/fake-clock.ts';
import { preface } from '../../../support/http2-frames.ts';
import { recordedMetrics } from '../../../support/quiet.ts';
import { testLoadLimits } from '../listener/test-load-limits.ts';
import { frame, pathOf, type RawCall, rawCall } from './raw-call.ts';
import { beginCalls, endCalls, goawayFor, resetCalls } from './raw-frames.ts';
import { openServerEnv, type ServerEnv, tokenRecord } from './server-env.ts';

// Real sockets, files and timers on a machine that may be busy.
/** What clients send to use up the server: afterwards it answers the next call. */

const answers = async ({ client }: ServerEnv): Promise<void> => {
  expect(await client.createToken({})).toMatchObject({ tokenType: 'Bearer' });
};

const HEADERS = {
  ':method': 'POST',
  ':path': pathOf('CreateToken'),
  'content-type': 'application/grpc',
  te: 'trailers',
};

const openSession = async (env: ServerEnv): Promise<ClientHttp2Session> => {
  const session = connectHttp2(`http://127.0.0.1:${env.port}`);
  session.on('error', () => undefined);
  await once(session, 'remoteSettings');
  return session;
};

test('a client that resets its streams in a flood gets GOAWAY with ENHANCE_YOUR_CALM', async () => {
  const metrics = recordedMetrics();
  await using env = await openServerEnv({}, { load: testLoadLimits({ metrics }) });
  expect(await goawayFor(env.port, [resetCalls(400)])).toBe(constants.NGHTTP2_ENHANCE_YOUR_CALM);
  expect(metrics.calls).toEqual([['limited', 'grpc', 'resets', 'shed']]);
  await answers(env);
});

test('calls that end with an error of their client before they have begun are no error of the server', async () => {
  await using env = await openServerEnv();
  for (const code of [constants.NGHTTP2_PROTOCOL_ERROR, constants.NGHTTP2_INTERNAL_ERROR]) {
    await goawayFor(env.port, [Buffer.concat([beginCalls(0, 400), endCalls(0, 400, code)])]);
  }
  await answers(env);
});

test('nor are calls whose connection is reset while they wait to begin', async () => {
  const load = testLoadLimits();
  await using env = await openServerEnv({}, { load });
  for (let round = 0; round < 5; round += 1) {
    const socket = connect(env.port, '127.0.0.1');
    socket.on('error', () => undefined);
    await once(socket, 'connect');
    socket.write(Buffer.concat([preface(), beginCalls(0, 250)]));
    await eventually(() => load.streams.size > 0);
    socket.resetAndDestroy();
    await eventually(() => load.streams.size === 0);
  }
  await answers(env);
});

test('a flood that is spread over connections of an address is one flood', async () => {
  const metrics = recordedMetrics();
  await using env = await openServerEnv({}, { load: testLoadLimits({ metrics }) });
  const floods = Array.from({ length: 10 }, () => goawayFor(env.port, [resetCalls(150)]));
  expect(await Promise.race(floods)).toBe(constants.NGHTTP2_ENHANCE_YOUR_CALM);
  await answers(env);
});

/** Opens calls of which nothing but the headers arrives, on a session of their own, and waits until they have begun. */
const openCalls = async (
  { env, load }: { readonly env: ServerEnv; readonly load: LoadLimits },
  headers: OutgoingHttpHeaders = HEADERS,
) => {
  const [session, before] = [await openSession(env), load.streams.size];
  let goaway: number | undefined;
  session.on('goaway', (code) => {
    goaway = code;
  });
  const open = async (count: number): Promise<ClientHttp2Stream[]> => {
    const streams = Array.from({ length: count }, () =>
      session.request(headers).on('error', () => undefined),
    );
    await eventually(() => load.streams.size === before + count);
    return streams;
  };
  const reset = async (streams: readonly ClientHttp2Stream[], code: number): Promise<void> => {
    for (const stream of streams) stream.close(code);
    await eventually(() => load.streams.size === before);
  };
  return {
    open,
    reset,
    goaway: () => goaway,
    [Symbol.asyncDispose]: async () => session.destroy(),
  };
};

test('a stream that its client resets with NO_ERROR counts as any other', async () => {
  const load = testLoadLimits();
  await using env = await openServerEnv({}, { load });
  const flood = async function* () {
    for (let first = 0; first < 400; first += 200) {
      yield beginCalls(first, 200);
      await eventually(() => load.streams.size === 200);
      yield endCalls(first, 200, constants.NGHTTP2_NO_ERROR);
      await eventually(() => load.streams.size === 0);
    }
  };
  expect(await goawayFor(env.port, flood())).toBe(constants.NGHTTP2_ENHANCE_YOUR_CALM);
  await answers(env);
});

test.each([
  [1000, undefined],
  [800, constants.NGHTTP2_ENHANCE_YOUR_CALM],
])('calls with a deadline of 1,000 s that their client resets after %i s', async (seconds, expected) => {
  const [clock, metrics] = [new FakeClock(), recordedMetrics()];
  const load = testLoadLimits({ clock, metrics });
  await using env = await openServerEnv({}, { clock, load });
  await using calls = await openCalls({ env, load }, { ...HEADERS, 'grpc-timeout': '1000S' });
  const streams = await calls.open(250);
  clock.freeze(seconds * 1000);
  await calls.reset(streams, constants.NGHTTP2_CANCEL);
  // 300 may be reset.
  await calls.reset(await calls.open(100), constants.NGHTTP2_CANCEL);
  if (expected !== undefined) await eventually(() => calls.goaway() === expected);
  expect(metrics.calls).toEqual(expected === undefined ? [] : [['limited', 'grpc', 'resets', 'shed']]);
});

test.each<[string, number, string[]]>([
  ['of one address, each with a call that times out', 100, []],
  ['behind a trusted proxy', 150, ['127.0.0.1']],
])('many connections %s are no flood', async (_what, count, trustedProxies) => {
  const metrics = recordedMetrics();
  const load = testLoadLimits({ metrics, trustedProxies });
  await using env = await openServerEnv({}, { load });
  for (let at = 0; at < 10; at += 1) {
    await using calls = await openCalls({ env, load });
    await calls.reset(await calls.open(count), constants.NGHTTP2_CANCEL);
  }
  await answers(env);
  expect(metrics.calls).toEqual([]);
});

test('calls that the server asks to stop are no resets of their client', async () => {
  const metrics = recordedMetrics();
  const load = testLoadLimits({ metrics });
  await using env = await openServerEnv({}, { load });
  const session = await openSession(env);
  for (let round = 0; round < 4; round += 1) {
    const streams = Array.from({ length: 100 }, () => session.request(HEADERS).on('error', () => undefined));
    for (const stream of streams) stream.resume().write(frame(Buffer.alloc(0), 1));
    await Promise.all(streams.map((stream) => once(stream, 'close')));
  }
  expect([session.destroyed, metrics.calls]).toEqual([false, []]);
  session.destroy();
});

test.each([
  ['on connections of strangers are a flood', false],
  ['on a connection with an authenticated caller are none', true],
])('requests that are rejected again and again %s', async (_where, isProven) => {
  const metrics = recordedMetrics();
  await using env = await openServerEnv({}, { load: testLoadLimits({ metrics }) });
  const rejectAll = async (session: ClientHttp2Session, count: number): Promise<void> => {
    const streams = Array.from({ length: count }, () => session.request(HEADERS));
    const closed = streams.map((stream) => new Promise((resolve) => stream.once('close', resolve)));
    // The message is too large.
    for (const stream of streams) {
      stream.on('error', () => undefined).resume();
      stream.write(frame(Buffer.alloc(69 * 1024)).subarray(0, 100));
    }
    await Promise.all(closed);
  };
  const codes: number[] = [];
  // 1,024 may be rejected, and 50 more per second.
  for (let round = 0; round < 15; round += 1) {
    const session = await openSession(env);
    session.on('goaway', (code) => codes.push(code));
    if (isProven) {
      const proof = session.request(HEADERS).resume();
      proof.end(frame(new Uint8Array()));
      await once(proof, 'close');
    }
    await rejectAll(session, 100);
    session.destroy();
  }
  const flood = ['limited', 'grpc', 'rejectedRequests', 'shed'];
  expect(metrics.calls.some((call) => call.join() === flood.join())).toBe(!isProven);
  expect(codes.includes(constants.NGHTTP2_ENHANCE_YOUR_CALM)).toBe(!isProven);
  await answers(env);
});

test('a caller whose calls all time out at once keeps its connection', async () => {
  const metrics = recordedMetrics();
  let begun = 0;
  await using env = await openServerEnv(
    {
      createToken: (_request, { signal }) => {
        begun += 1;
        if (begun === 1)
          return Promise.resolve({
            id: 'jti',
            clientID: 'c',
            accessToken: 'jwt',
            expiresInSeconds: 1,
            scope: [],
          });
        return new Promise((_resolve, reject) =>
          signal.addEventListener('abort', () => reject(signal.reason)),
        );
      },
    },
    { load: testLoadLimits({ metrics }) },
  );
  await using proof = rawCall(env.port, pathOf('CreateToken'));
  proof.stream.resume();
  proof.stream.end(frame(new Uint8Array()));
  expect(await proof.ended).toMatchObject({ code: 'OK' });
  const streams = Array.from({ length: 250 }, () => proof.session.request(HEADERS));
  for (const stream of streams) stream.on('error', () => undefined).end(frame(new Uint8Array()));
  await eventually(() => begun === 251);
  for (const stream of streams) stream.close(constants.NGHTTP2_CANCEL);
  await eventually(() => expect(env.metrics.calls).toHaveLength(251));
  const ping = Promise.withResolvers<void>();
  proof.session.ping((error) => (error ? ping.reject(error) : ping.resolve()));
  await ping.promise;
  expect(metrics.calls).toEqual([]);
});

test('the settings of HTTP/2 that grpc-js has no options for are in effect', async () => {
  await using env = await openServerEnv();
  const session = await openSession(env);
  expect(session.remoteSettings).toMatchObject({ maxConcurrentStreams: 256, maxHeaderListSize: 65_536 });
  const stream = session.request({
    ...HEADERS,
    ...Object.fromEntries(Array.from({ length: 120 }, (_, at) => [`x-${at}`, 'value'])),
  });
  stream.on('error', () => undefined);
  await new Promise((resolve) => stream.once('close', resolve));
  expect(stream.rstCode).toBe(constants.NGHTTP2_ENHANCE_YOUR_CALM);
  session.destroy();
  expect(env.metrics.calls).toEqual([]);
});

/** A call of whose message all but the last byte is sent. */
const halfCall = (env: ServerEnv, bytes: number): RawCall => {
  const call = rawCall(env.port, pathOf('CreateToken'));
  call.stream.write(frame(Buffer.alloc(bytes)).subarray(0, -1));
  return call;
};

test('requests of which a part has arrived are limited by address', async () => {
  const metrics = recordedMetrics();
  const load = testLoadLimits({ perAddress: { unfinishedRequests: 2 }, metrics });
  await using env = await openServerEnv({}, { load });
  await using calls = new AsyncDisposableStack();
  for (let at = 0; at < 3; at += 1) calls.use(halfCall(env, 1000));
  await eventually(() =>
    expect(metrics.calls).toEqual([['limited', 'grpc', 'unfinishedRequests', 'refused']]),
  );
  await answers(env);
});

test('half-sent messages cost connections without an authenticated caller, and no others', async () => {
  const metrics = recordedMetrics();
  // Each of them costs its address new connections, of which there are enough.
  const perAddress = { connectionsPerSecond: 10_000 };
  const load = testLoadLimits({ maxKeptBytes: 300_000, perAddress, metrics });
  await using env = await openServerEnv({}, { load });
  await answers(env);
  await using calls = new AsyncDisposableStack();
  const half = Array.from({ length: 20 }, () => calls.use(halfCall(env, 60_000)));
  await eventually(() => expect(half.filter(({ session }) => session.destroyed).length).toBeGreaterThan(10));
  expect(metrics.calls).toContainEqual(['limited', 'grpc', 'bytes', 'shed']);
  expect(metrics.calls.every(([, ...labels]) => labels.join(' ') === 'grpc bytes shed')).toBe(true);
  await answers(env);
});

test('a request that is not finished after its answer is asked to stop', async () => {
  await using env = await openServerEnv();
  await using call = rawCall(env.port, pathOf('CreateToken'));
  call.stream.resume();
  call.stream.write(frame(Buffer.alloc(600 * 1024)).subarray(0, 1000));
  expect(await call.ended).toMatchObject({ code: 'RESOURCE_EXHAUSTED' });
  await eventually(() => call.stream.destroyed);
  await answers(env);
});

const plainSocket = async (port: number): Promise<Socket> => {
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => undefined);
  await once(socket.resume(), 'connect');
  return socket;
};

test('a connection on which no preface has arrived within 10 s is closed', async () => {
  const clock = new FakeClock();
  await using env = await openServerEnv({}, { clock });
  const socket = await plainSocket(env.port);
  const closed = once(socket, 'close');
  await eventually(() => clock.pending === 1);
  await clock.advance(10_000);
  await closed;
});

test('a list that its client does not read is made no further than it is sent ahead', async () => {
  let read = 0;
  const record = tokenRecord('one');
  const records = Array.from({ length: 10_000 }, (_, at) =>
    Object.defineProperty({ ...record, id: `id-${at}` }, 'name', {
      get: () => {
        read += 1;
        return 'x'.repeat(1000);
      },
    }),
  );
  await using env = await openServerEnv({
    async *listTokens() {
      yield records;
    },
  });
  await using call = rawCall(env.port, pathOf('GetTokens'), {
    headers: { authorization: 'Bearer b' },
    initialWindowSize: 0,
  });
  call.stream.end(frame(new Uint8Array()));
  await eventually(() => read > 0);
  await answers(env);
  expect(read).toBeLessThan(1000);
});

test('a thousand connections of one address, each with a call, are no flood', async () => {
  const metrics = recordedMetrics();
  await using env = await openServerEnv({}, { load: testLoadLimits({ metrics }) });
  await using calls = new AsyncDisposableStack();
  for (let batch = 0; batch < 10; batch += 1) {
    const some = Array.from({ length: 100 }, () => calls.use(rawCall(env.port, pathOf('CreateToken'))));
    for (const { stream } of some) stream.resume().end(frame(new Uint8Array()));
    const ended = await Promise.all(some.map((call) => call.ended));
    expect(ended.every(({ code }) => code === 'OK')).toBe(true);
  }
  expect(metrics.calls).toEqual([]);
});

test('calls of strangers at the same address leave those of an authenticated caller their own share', async () => {
  const metrics = recordedMetrics();
  const load = testLoadLimits({ perAddress: { streams: 2 }, metrics });
  await using env = await openServerEnv({}, { load });
  await answers(env);
  await using calls = new AsyncDisposableStack();
  const strangers = Array.from({ length: 3 }, () => calls.use(rawCall(env.port, pathOf('CreateToken'))));
  const refused = await Promise.race(strangers.map(({ ended }) => ended));
  expect(refused).toEqual({ code: 'RESOURCE_EXHAUSTED', message: 'too many calls are in progress' });
  expect(metrics.calls).toEqual([['limited', 'grpc', 'streams', 'refused']]);
  await answers(env);
});
