import { constants } from 'node:http2';
import { credentials, Metadata, type ServiceError, status } from '@grpc/grpc-js';
import { afterEach, expect, jest, test } from '@jest/globals';
import { M2MOAuthServiceClient } from '../../../../operator/servers/grpc/generated/m2moauthserver/pb/service.ts';
import { eventually } from '../../../support/eventually.ts';
import { refusalOf } from '../../../support/grpc.ts';
import { CHUNK_BYTES, endlessList, lineOf, settledChunks, startUnreadList } from './lists.ts';
import { openServerEnv, type ServerEnv } from './server-env.ts';

// Real sockets, files and timers on a machine that may be busy.
jest.setTimeout(30_000);

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

test('the deadline of a call with one answer aborts its use case', async () => {
  let aborted = false;
  await using env = await openServerEnv({
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
    grpcJsClient(env).createToken(
      request,
      new Metadata(),
      { deadline: Date.now() + 100 },
      (error, response) => (error ? reject(error) : resolve(response)),
    );
  });
  expect(await refusalOf(call)).toMatchObject({ code: 'DEADLINE_EXCEEDED' });
  await eventually(() => aborted);
  expect(env.metrics.calls).toEqual([['grpcCall', 'CreateToken', 'DEADLINE_EXCEEDED', expect.any(Number)]]);
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
