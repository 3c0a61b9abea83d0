import { constants } from 'node:http2';
import { credentials, Metadata, type ServiceError, status } from '@grpc/grpc-js';
import { afterEach, describe, expect, test } from '@jest/globals';
import { sleep } from '../../../../operator/async/sleep.ts';
import { systemClock } from '../../../../operator/ops/system-clock.ts';
import { M2MOAuthServiceClient } from '../../../../operator/servers/grpc/generated/m2moauthserver/pb/service.ts';
import type { GrpcIssuer } from '../../../../operator/servers/grpc/services.ts';
import { eventually } from '../../../support/eventually.ts';
import { CHUNK, CHUNK_BYTES, endlessList, lineOf, settledChunks, startUnreadList } from './lists.ts';
import { frame, pathOf, type RawCall, rawCall } from './raw-call.ts';
import { openServerEnv, type ServerEnv } from './server-env.ts';

// Real sockets, files and timers on a machine that may be busy.
/** Callers that go, are out of time, or read slowly. */

/** The reader's window of 64 KiB, as much ahead of it, and what the streams between hold. */
const MOST_UNREAD = 256 * 1024;

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

const grpcJsClient = (env: ServerEnv): M2MOAuthServiceClient => {
  const client = new M2MOAuthServiceClient(`127.0.0.1:${env.port}`, credentials.createInsecure());
  open.push(client);
  return client;
};

const startList = (env: ServerEnv, options = {}) => {
  const request = { idFilter: [], includeBlacklisted: false };
  const call = grpcJsClient(env).getTokens(request, new Metadata(), options);
  const errors: Partial<ServiceError>[] = [];
  call.on('error', (error) => errors.push(error));
  return { call, errors };
};

test('a reader that pauses is waited for, and nothing piles up meanwhile', async () => {
  const { seen, listTokens } = endlessList();
  await using env = await openServerEnv({ listTokens });
  await using call = startUnreadList(env);
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
  await using env = await openServerEnv({ listTokens });
  const { call, errors } = startList(env);
  call.once('data', () => call.cancel());
  await eventually(() => seen.ended && seen.aborted);
  await eventually(() =>
    expect(lineOf(env)?.fields).toMatchObject({ method: 'GetTokens', code: 'CANCELLED' }),
  );
  expect(errors[0]?.code).toBe(status.CANCELLED);
  expect(lineOf(env)?.fields).not.toHaveProperty('error');
});

test('a caller that cancels while it does not read stops the use case, too', async () => {
  const { seen, listTokens } = endlessList();
  await using env = await openServerEnv({ listTokens });
  await using call = startUnreadList(env);
  await settledChunks(seen);
  expect(seen.ended).toBe(false);
  call.stream.close(constants.NGHTTP2_CANCEL);
  await eventually(() => seen.ended && seen.aborted);
});

test('a caller whose connection breaks stops the use case', async () => {
  const { seen, listTokens } = endlessList();
  await using env = await openServerEnv({ listTokens });
  await using call = startUnreadList(env);
  await settledChunks(seen);
  call.session.destroy();
  await eventually(() => seen.ended && seen.aborted);
});

test('the deadline ends a stream', async () => {
  const { seen, listTokens } = endlessList();
  await using env = await openServerEnv({ listTokens });
  const { call, errors } = startList(env, { deadline: Date.now() + 200 });
  call.resume();
  await eventually(() => seen.ended && errors.length > 0);
  expect(errors[0]?.code).toBe(status.DEADLINE_EXCEEDED);
  await eventually(() => expect(lineOf(env)?.fields).toMatchObject({ code: 'DEADLINE_EXCEEDED' }));
});

test.each(['99999999M', '2592000S', '4294967S', '3000000S'])(
  'a deadline that no timer of Node reaches is no deadline that has passed: %s',
  async (timeout) => {
    // Later than a timer that fires at once, as one that is too long would.
    const outlast = () => sleep(systemClock, 10);
    await using env = await openServerEnv({
      createToken: async () => {
        await outlast();
        return { id: 'jti', clientID: 'c', accessToken: 'jwt', expiresInSeconds: 60, scope: [] };
      },
      async *listTokens() {
        await outlast();
        yield CHUNK;
      },
    });
    for (const method of ['CreateToken', 'GetTokens']) {
      const headers = { 'grpc-timeout': timeout, authorization: 'Bearer b' };
      await using call = rawCall(env.port, pathOf(method), { headers });
      call.stream.resume().end(frame(new Uint8Array()));
      expect(await call.ended).toMatchObject({ code: 'OK' });
    }
  },
);

describe('the deadline of a call with one answer aborts its use case', () => {
  /** A use case that never answers, and what became of it. */
  const endlessCreate = () => {
    const seen = { called: false, aborted: false };
    const createToken: GrpcIssuer['createToken'] = (_request, { signal }) =>
      new Promise((_resolve, reject) => {
        seen.called = true;
        signal.addEventListener('abort', () => {
          seen.aborted = true;
          reject(signal.reason);
        });
      });
    return { seen, createToken };
  };

  const startCreate = (env: ServerEnv): RawCall => {
    const call = rawCall(env.port, pathOf('CreateToken'), { headers: { 'grpc-timeout': '100m' } });
    call.stream.end(frame(new Uint8Array()));
    return call;
  };

  const expectCounted = async (env: ServerEnv): Promise<void> =>
    eventually(() =>
      expect(env.metrics.calls).toEqual([
        ['grpcCall', 'CreateToken', 'DEADLINE_EXCEEDED', expect.any(Number)],
      ]),
    );

  test('where the server ends the call', async () => {
    const { seen, createToken } = endlessCreate();
    await using env = await openServerEnv({ createToken });
    await using call = startCreate(env);
    expect(await call.ended).toMatchObject({ code: 'DEADLINE_EXCEEDED' });
    await expectCounted(env);
    expect(seen.aborted).toBe(true);
  });

  test('where the caller resets it a moment before', async () => {
    const { seen, createToken } = endlessCreate();
    await using env = await openServerEnv({ createToken });
    await using call = startCreate(env);
    await eventually(() => seen.called, { intervalMs: 1 });
    call.stream.close(constants.NGHTTP2_CANCEL);
    await expectCounted(env);
    expect(seen.aborted).toBe(true);
  });
});

test('a token that was issued for a caller that has disconnected is logged all the same', async () => {
  let isCalled = false;
  await using env = await openServerEnv({
    createToken: async (_request, { signal }) => {
      isCalled = true;
      await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));
      return { id: 'jti', clientID: 'c', accessToken: 'jwt', expiresInSeconds: 1, scope: [] };
    },
  });
  const call = grpcJsClient(env).createToken(EMPTY_REQUEST, () => undefined);
  await eventually(() => isCalled);
  call.cancel();
  await eventually(() => expect(lineOf(env)?.fields).toMatchObject({ code: 'CANCELLED', jti: 'jti' }));
});
