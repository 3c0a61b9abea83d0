import { constants } from 'node:http2';
import { credentials, Metadata, type ServiceError, status } from '@grpc/grpc-js';
import { afterEach, expect, jest, test } from '@jest/globals';
import { M2MOAuthServiceClient, Token } from '../../../operator/grpc/generated/m2moauthserver/pb/service.ts';
import type { DoorIssuer } from '../../../operator/grpc/services.ts';
import { tokenMessage } from '../../../operator/grpc/token-message.ts';
import { writeMessage } from '../../../operator/grpc/wire.ts';
import type { ListTokens } from '../../../operator/issuer/use-cases.ts';
import { systemClock } from '../../../operator/ops/system-clock.ts';
import { eventually } from '../../support/eventually.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { refusalOf } from '../../support/grpc.ts';
import { frame, pathOf, type RawCall, rawCall } from './raw-call.ts';
import { openStage, type Stage, tokenRecord } from './stage.ts';

// Real sockets, files and timers on a machine that may be busy.
jest.setTimeout(30_000);

/** Callers that go, are out of time, or don't read. */

const CHUNK = Array.from({ length: 100 }, (_, at) => tokenRecord(`token-${at}`));
const CHUNK_BYTES = CHUNK.reduce(
  (sum, record) => sum + frame(writeMessage(Token, tokenMessage(record))).byteLength,
  0,
);
/** The reader's window of 64 KiB, as much ahead of it, and what the streams between hold. */
const MOST_UNREAD = 256 * 1024;

/** A list without end, and what became of it. */
const endlessList = () => {
  const seen = { chunks: 0, ended: false, aborted: false };
  const listTokens: ListTokens = async function* (_bearer, _query, { signal }) {
    signal.addEventListener('abort', () => {
      seen.aborted = true;
    });
    try {
      for (;;) {
        seen.chunks += 1;
        yield CHUNK;
      }
    } finally {
      seen.ended = true;
    }
  };
  return { seen, listTokens };
};

const EMPTY_REQUEST = {
  clientId: '',
  clientSecret: '',
  audience: [],
  scope: [],
  expiration: 0n,
  clientAssertionType: '',
  clientAssertion: '',
  tokenName: '',
  grantType: '',
};

const open: M2MOAuthServiceClient[] = [];
afterEach(() => {
  for (const client of open.splice(0)) client.close();
});

const grpcJsClient = (stage: Stage): M2MOAuthServiceClient => {
  const client = new M2MOAuthServiceClient(`127.0.0.1:${stage.port}`, credentials.createInsecure());
  open.push(client);
  return client;
};

const startList = (stage: Stage, options = {}) => {
  const request = { idFilter: [], includeBlacklisted: false };
  const call = grpcJsClient(stage).getTokens(request, new Metadata(), options);
  const errors: Partial<ServiceError>[] = [];
  call.on('error', (error) => errors.push(error));
  return { call, errors };
};

/** A list that is not read until it is told to be. */
const startUnreadList = (stage: Stage, options = {}): RawCall => {
  const call = rawCall(stage.port, pathOf('GetTokens'), options);
  call.stream.end(frame(new Uint8Array()));
  return call;
};

/** How often the use case was asked, once it is asked no more. */
const settledChunks = async (seen: { chunks: number }): Promise<number> => {
  let before = 0;
  await eventually(
    () => {
      const isStill = seen.chunks === before && before > 0;
      before = seen.chunks;
      return isStill;
    },
    { intervalMs: 100 },
  );
  return before;
};

const lineOf = (stage: Stage) => stage.log.lines.find(({ message }) => message === 'gRPC call');

test('a reader that pauses is waited for, and nothing piles up meanwhile', async () => {
  const { seen, listTokens } = endlessList();
  await using stage = await openStage({ listTokens });
  await using call = startUnreadList(stage);
  expect((await settledChunks(seen)) * CHUNK_BYTES).toBeLessThan(MOST_UNREAD);
  let read = 0;
  call.stream.on('data', (data: Buffer) => {
    read += data.byteLength;
  });
  await eventually(() => read > 2_000_000);
  expect(seen.chunks).toBeGreaterThan(100);
  call.stream.pause();
  expect((await settledChunks(seen)) * CHUNK_BYTES - read).toBeLessThan(MOST_UNREAD);
});

test('a caller that cancels in the middle stops the use case', async () => {
  const { seen, listTokens } = endlessList();
  await using stage = await openStage({ listTokens });
  const { call, errors } = startList(stage);
  call.once('data', () => call.cancel());
  await eventually(() => seen.ended && seen.aborted);
  await eventually(() =>
    expect(lineOf(stage)?.fields).toMatchObject({ method: 'GetTokens', code: 'CANCELLED' }),
  );
  expect(errors[0]?.code).toBe(status.CANCELLED);
  expect(lineOf(stage)?.fields).not.toHaveProperty('error');
});

test('a caller that cancels while it does not read stops the use case, too', async () => {
  const { seen, listTokens } = endlessList();
  await using stage = await openStage({ listTokens });
  await using call = startUnreadList(stage);
  await settledChunks(seen);
  expect(seen.ended).toBe(false);
  call.stream.close(constants.NGHTTP2_CANCEL);
  await eventually(() => seen.ended && seen.aborted);
});

test('a caller whose connection breaks stops the use case', async () => {
  const { seen, listTokens } = endlessList();
  await using stage = await openStage({ listTokens });
  await using call = startUnreadList(stage);
  await settledChunks(seen);
  call.session.destroy();
  await eventually(() => seen.ended && seen.aborted);
});

test('the deadline ends a stream', async () => {
  const { seen, listTokens } = endlessList();
  await using stage = await openStage({ listTokens });
  const { call, errors } = startList(stage, { deadline: Date.now() + 200 });
  call.resume();
  await eventually(() => seen.ended && errors.length > 0);
  expect(errors[0]?.code).toBe(status.DEADLINE_EXCEEDED);
  await eventually(() => expect(lineOf(stage)?.fields).toMatchObject({ code: 'DEADLINE_EXCEEDED' }));
});

test('the deadline of a call with one answer aborts its use case', async () => {
  let aborted = false;
  await using stage = await openStage({
    createToken: (_request, { signal }) =>
      new Promise((_resolve, reject) => {
        signal.addEventListener('abort', () => {
          aborted = true;
          reject(signal.reason);
        });
      }),
  });
  const call = new Promise((resolve, reject) => {
    const request = { ...EMPTY_REQUEST };
    grpcJsClient(stage).createToken(
      request,
      new Metadata(),
      { deadline: Date.now() + 100 },
      (error, response) => (error ? reject(error) : resolve(response)),
    );
  });
  expect(await refusalOf(call)).toMatchObject({ code: 'DEADLINE_EXCEEDED' });
  await eventually(() => aborted);
  expect(stage.metrics.calls).toEqual([['grpcCall', 'CreateToken', 'DEADLINE_EXCEEDED', expect.any(Number)]]);
});

test('a token that was made for a caller that is gone is in the log all the same', async () => {
  let isCalled = false;
  await using stage = await openStage({
    createToken: async (_request, { signal }) => {
      isCalled = true;
      await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));
      return { id: 'jti', clientID: 'c', accessToken: 'jwt', expiresInSeconds: 1, scope: [] };
    },
  });
  const call = grpcJsClient(stage).createToken(EMPTY_REQUEST, () => undefined);
  await eventually(() => isCalled);
  call.cancel();
  await eventually(() => expect(lineOf(stage)?.fields).toMatchObject({ code: 'CANCELLED', jti: 'jti' }));
});

/** Real time, and timers that the test moves. */
const stageWithTimers = async (issuer: Partial<DoorIssuer>) => {
  const timers = new FakeClock();
  const clock = { ...systemClock, after: timers.after.bind(timers) };
  return { timers, stage: await openStage(issuer, { clock }) };
};

test('a reader that takes nothing for half a minute loses its stream', async () => {
  const { seen, listTokens } = endlessList();
  const { timers, stage } = await stageWithTimers({ listTokens });
  await using _ = stage;
  await using call = startUnreadList(stage);
  await settledChunks(seen);
  await timers.advance(30_000);
  expect(seen.aborted).toBe(false);
  await timers.advance(30_000);
  await eventually(() => seen.ended && seen.aborted);
  call.stream.resume();
  expect(await call.ended).toEqual({ reset: constants.NGHTTP2_CANCEL });
});

test('a reader that leaves the end of a list alone loses its stream as well', async () => {
  const { timers, stage } = await stageWithTimers({
    async *listTokens() {
      // More than the reader's window, and less than is written ahead of it.
      for (let sent = 0; sent < 40 * 1024; sent += CHUNK_BYTES) yield CHUNK;
    },
  });
  await using _ = stage;
  await using call = startUnreadList(stage, { initialWindowSize: 1024 });
  await eventually(() => lineOf(stage) !== undefined);
  await timers.advance(60_000);
  await eventually(() => call.stream.rstCode !== 0);
  call.stream.resume();
  expect(await call.ended).toEqual({ reset: constants.NGHTTP2_CANCEL });
});

test('a reader that is slow keeps its stream', async () => {
  const { seen, listTokens } = endlessList();
  const { timers, stage } = await stageWithTimers({ listTokens });
  await using _ = stage;
  await using call = startUnreadList(stage);
  call.stream.on('data', () => undefined);
  for (let round = 0; round < 5; round += 1) {
    call.stream.pause();
    const before = await settledChunks(seen);
    await timers.advance(30_000);
    call.stream.resume();
    await eventually(() => seen.chunks > before + 20);
  }
  expect(seen.aborted).toBe(false);
});

test('a request that does not arrive is given up', async () => {
  const { timers, stage } = await stageWithTimers({});
  await using _ = stage;
  await using half = rawCall(stage.port, pathOf('CreateToken'));
  half.stream.write(frame(new Uint8Array(100)).subarray(0, 50));
  await eventually(() => timers.pending > 0);
  await timers.advance(21_000);
  expect(await half.ended).toEqual({
    code: 'DEADLINE_EXCEEDED',
    message: 'the request did not arrive in time',
  });
});

test('nothing waits for calls that are over', async () => {
  const { timers, stage } = await stageWithTimers({});
  await using _ = stage;
  await stage.client.createToken({});
  await stage.client.getTokens('Bearer b');
  await eventually(() => timers.pending === 0);
});
