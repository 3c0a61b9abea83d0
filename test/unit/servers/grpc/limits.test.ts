import { once } from 'node:events';
import { type ClientSessionOptions, connect as connectHttp2 } from 'node:http2';
import { connect, type Socket } from 'node:net';
import { gzipSync } from 'node:zlib';
import { describe, expect, test } from '@jest/globals';
import { DeleteTokensRequest } from '../../../../operator/servers/grpc/generated/m2moauthserver/pb/service.ts';
import { writeMessage } from '../../../../operator/servers/grpc/wire.ts';
import { rejectionOf } from '../../../support/grpc.ts';
import { testLoadLimits } from '../listener/test-load-limits.ts';
import { frame, pathOf, rawCall } from './raw-call.ts';
import { openServerEnv, type ServerEnv } from './server-env.ts';

// Real sockets, files and timers on a machine that may be busy.
/** Calls that must not harm the server: after each of them it answers the next call. */

const answers = async ({ client }: ServerEnv): Promise<void> => {
  expect(await client.createToken({})).toMatchObject({ tokenType: 'Bearer' });
};

const NOT_READ = 'the request is no message of this method';

describe.each([
  ['CreateToken', 'cannot create token'],
  ['GetTokens', 'cannot get tokens'],
  ['DeleteTokens', 'cannot delete tokens'],
])('%s', (method, prefix) => {
  test.each<[string, Buffer]>([
    ['a string that is no UTF-8', Buffer.from('0a02c328', 'hex')],
    ['a string that is cut short', Buffer.from('0a7f61', 'hex')],
    ['bytes without sense', Buffer.from('ffffffffffffffffffffff', 'hex')],
    ['groups in groups', Buffer.alloc(10_000, 0x0b)],
  ])('rejects %s', async (_name, message) => {
    await using env = await openServerEnv();
    await using call = rawCall(env.port, pathOf(method));
    call.stream.end(frame(message));
    expect(await call.ended).toEqual({ code: 'INVALID_ARGUMENT', message: `${prefix}: ${NOT_READ}` });
    await answers(env);
  });

  test('rejects a message that is too large before it has been received', async () => {
    await using env = await openServerEnv();
    await using call = rawCall(env.port, pathOf(method));
    call.stream.write(frame(Buffer.alloc(600 * 1024)));
    expect(await call.ended).toMatchObject({ code: 'RESOURCE_EXHAUSTED' });
    await answers(env);
  });

  test.each(['gzip', 'deflate', 'identity'])(
    'rejects a message that is compressed with %s',
    async (encoding) => {
      await using env = await openServerEnv();
      const headers = { 'grpc-encoding': encoding };
      await using call = rawCall(env.port, pathOf(method), { headers });
      call.stream.end(frame(gzipSync(Buffer.alloc(68 * 1024)), 1));
      expect(await call.ended).toEqual({
        code: 'UNIMPLEMENTED',
        message: 'compressed messages are not supported: send messages without compression',
      });
      await answers(env);
    },
  );
});

test('a message without compression is read whatever encoding its call names', async () => {
  await using env = await openServerEnv();
  await using call = rawCall(env.port, pathOf('CreateToken'), { headers: { 'grpc-encoding': 'gzip' } });
  call.stream.resume();
  call.stream.end(frame(new Uint8Array()));
  expect(await call.ended).toEqual({ code: 'OK', message: 'OK' });
});

describe('id_filter', () => {
  const ids = (count: number): string[] => Array.from({ length: count }, (_, at) => `id-${at}`);

  test.each<[string, string[], string]>([
    ['1,001 ids', ids(1001), 'id_filter has more than 1000 ids'],
    ['an empty id', ['id', ''], 'id_filter has an id that is not 1 to 64 ASCII characters'],
    ['an id of 65 characters', ['x'.repeat(65)], 'id_filter has an id that is not 1 to 64 ASCII characters'],
    ['an id with a control character', ['a\n'], 'id_filter has an id that is not 1 to 64 ASCII characters'],
    ['an id that is not ASCII', ['ü'], 'id_filter has an id that is not 1 to 64 ASCII characters'],
  ])('%s are rejected', async (_name, idFilter, message) => {
    await using env = await openServerEnv();
    expect(await rejectionOf(env.client.getTokens('Bearer b', { idFilter }))).toEqual({
      code: 'INVALID_ARGUMENT',
      message: `cannot get tokens: ${message}`,
    });
    expect(await rejectionOf(env.client.deleteTokens('Bearer b', idFilter))).toEqual({
      code: 'INVALID_ARGUMENT',
      message: `cannot delete tokens: ${message}`,
    });
  });

  test('1,000 ids of 64 characters are taken', async () => {
    const most = ids(1000).map((id) => id.padEnd(64, 'x'));
    const seen: number[] = [];
    await using env = await openServerEnv({
      deleteTokens: async (_bearer, given) => {
        seen.push(given.length);
        return { blacklisted: 0, deleted: 0 };
      },
    });
    await env.client.deleteTokens('Bearer b', most);
    expect(seen).toEqual([1000]);
  });
});

test('a second authorization is ignored: Node passes on the first alone', async () => {
  const seen: unknown[] = [];
  await using env = await openServerEnv({
    authenticateBearer: async (authorization) => {
      seen.push(authorization);
      return { owner: 'owner', onlyID: undefined, client: undefined };
    },
  });
  const session = connectHttp2(`http://127.0.0.1:${env.port}`, {
    strictSingleValueFields: false,
  } as ClientSessionOptions);
  const stream = session.request([
    ':method',
    'POST',
    ':path',
    pathOf('DeleteTokens'),
    ':scheme',
    'http',
    ':authority',
    'server',
    'content-type',
    'application/grpc',
    'te',
    'trailers',
    'authorization',
    'Bearer one',
    'authorization',
    'Bearer two',
  ] as never);
  stream.resume();
  stream.end(frame(writeMessage(DeleteTokensRequest, { idFilter: [] })));
  await once(stream, 'close');
  session.destroy();
  expect(seen).toEqual(['Bearer one']);
});

test('metadata beyond 64 KiB is rejected', async () => {
  await using env = await openServerEnv();
  await using call = rawCall(env.port, pathOf('GetTokens'), {
    headers: { authorization: `Bearer ${'x'.repeat(100 * 1024)}` },
  });
  call.stream.end(frame(new Uint8Array()));
  expect((await call.ended).code).toBeUndefined();
  expect(env.metrics.calls).toEqual([]);
  await answers(env);
});

test.each(['/other.Service/Method', '/m2moauthserver.pb.M2MOAuthService/Other', '/', '/%zz', '/a\u00ff'])(
  'the path %s is not served',
  async (path) => {
    await using env = await openServerEnv();
    await using call = rawCall(env.port, path);
    call.stream.end(frame(new Uint8Array()));
    expect(await call.ended).toMatchObject({ code: 'UNIMPLEMENTED' });
    await answers(env);
  },
);

test('no more than 256 calls run on one connection', async () => {
  await using env = await openServerEnv();
  const session = connectHttp2(`http://127.0.0.1:${env.port}`);
  const [settings] = await once(session, 'remoteSettings');
  expect(settings.maxConcurrentStreams).toBe(256);
  session.destroy();
});

const plainSocket = async (port: number): Promise<Socket> => {
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => undefined);
  socket.resume();
  await once(socket, 'connect');
  return socket;
};

test.each<[string, string]>([
  ['HTTP/1.1', 'GET / HTTP/1.1\r\nHost: server\r\n\r\n'],
  ['noise', '\u0000\u0001\u0002'.repeat(1000)],
])('a connection that uses %s is closed', async (_name, text) => {
  await using env = await openServerEnv();
  const socket = await plainSocket(env.port);
  socket.write(text);
  await once(socket, 'close');
  await answers(env);
});

test('a connection beyond the limit of its address takes the place of the oldest idle one', async () => {
  const load = testLoadLimits({ perAddress: { connections: 2 } });
  await using env = await openServerEnv({}, { load });
  const first = await plainSocket(env.port);
  const closed = once(first, 'close');
  const second = await plainSocket(env.port);
  try {
    await answers(env);
    await closed;
    expect(second.destroyed).toBe(false);
  } finally {
    second.destroy();
  }
});

test('a connection beyond the limit of its address is reset where all others are of use', async () => {
  const load = testLoadLimits({ perAddress: { connections: 1 } });
  await using env = await openServerEnv({}, { load });
  await answers(env);
  const beyond = connect(env.port, '127.0.0.1').on('error', () => undefined);
  await new Promise((resolve) => beyond.resume().once('close', resolve));
  await answers(env);
});
