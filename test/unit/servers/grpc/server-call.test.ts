import { EventEmitter } from 'node:events';
import type { Socket } from 'node:net';
import type { ServerInterceptingCallInterface, ServerInterceptor } from '@grpc/grpc-js';
import { expect, test } from '@jest/globals';
import { serverCalls } from '../../../../operator/servers/grpc/server-call.ts';
import type { MessageDecoder } from '../../../../operator/servers/grpc/wire.ts';
import type { Connection } from '../../../../operator/servers/listener/connection.ts';
import type { LoadLimits } from '../../../../operator/servers/listener/load-limits.ts';
import { FakeClock } from '../../../support/fake-clock.ts';
import { testLoadLimits } from '../listener/test-load-limits.ts';
import { frame } from './raw-call.ts';

/** Calls without a network: what arrives is written to their decoders. */

type Method = Parameters<ServerInterceptor>[0];
type Listener = Parameters<ServerInterceptingCallInterface['start']>[0];

const connect = (load: LoadLimits, address = '192.0.2.1'): Connection => {
  const socket = Object.assign(new EventEmitter(), { remoteAddress: address, destroy: () => undefined });
  const connection = load.connections.admit(socket as unknown as Socket, 'grpc');
  if (!connection) throw new Error('the connection was refused');
  return connection;
};

const makeCall = (load: LoadLimits, connection: Connection, requestStream = false) => {
  const stream = Object.assign(new EventEmitter(), { close: () => undefined });
  let listener: Listener | undefined;
  const call = {
    stream,
    decoder: undefined as unknown as MessageDecoder,
    start: (given: Listener) => {
      listener = given;
    },
    sendStatus: () => undefined,
  };
  const intercept = serverCalls({
    clock: new FakeClock(),
    load,
    gate: { connectionOf: () => connection, onRejected: () => undefined },
  });
  intercept(
    { path: '/x', requestStream } as Method,
    call as unknown as ServerInterceptingCallInterface,
  ).start({
    onReceiveMetadata: () => undefined,
    onReceiveMessage: () => undefined,
    onReceiveHalfClose: () => undefined,
    onCancel: () => undefined,
  });
  return { stream, write: (bytes: Buffer) => call.decoder.write(bytes), listener: () => listener };
};

const MESSAGE = frame(Buffer.alloc(1000));

test('a request whose connection was shed leaves no place taken once its stream is closed', () => {
  const load = testLoadLimits({ perAddress: { unfinishedRequests: 2 } });
  const shed = connect(load);
  const calls = [makeCall(load, shed), makeCall(load, shed)];
  load.connections.shed(shed, 'bytes');
  for (const { write } of calls) expect(() => write(MESSAGE.subarray(0, 1))).toThrow();
  for (const { stream } of calls) stream.emit('close');
  const next = connect(load);
  for (const { write } of [makeCall(load, next), makeCall(load, next)])
    expect(write(MESSAGE.subarray(0, 1))).toEqual([]);
});

test('a stream of requests in pieces is watched for its end once', () => {
  const load = testLoadLimits();
  const { stream, write } = makeCall(load, connect(load), true);
  for (let at = 0; at < 20; at += 1) {
    write(MESSAGE.subarray(0, 100));
    write(MESSAGE.subarray(100));
  }
  expect(stream.listenerCount('close')).toBe(1);
});

test.each([
  ['whole', [MESSAGE]],
  ['in pieces', [MESSAGE.subarray(0, 500), MESSAGE.subarray(500)]],
])('a single request that has arrived %s counts until its client ends the stream', (_how, pieces) => {
  const load = testLoadLimits();
  const connection = connect(load);
  const { listener, write } = makeCall(load, connection);
  for (const piece of pieces) write(piece);
  expect(connection.heldBytes).toBe(MESSAGE.length);
  listener()?.onReceiveHalfClose();
  expect(connection.heldBytes).toBe(0);
  listener()?.onCancel();
  expect(connection.heldBytes).toBe(0);
});

test('a single request that is never ended counts until the call is over', () => {
  const load = testLoadLimits();
  const connection = connect(load);
  const { listener, write } = makeCall(load, connection);
  write(MESSAGE);
  listener()?.onCancel();
  expect(connection.heldBytes).toBe(0);
});

test('whole requests that are not ended cost the connection beyond the budget', () => {
  const load = testLoadLimits({ maxKeptBytes: 2500 });
  const connection = connect(load);
  makeCall(load, connection).write(MESSAGE);
  makeCall(load, connection).write(MESSAGE);
  expect(() => makeCall(load, connection).write(MESSAGE)).toThrow(
    'too many bytes of requests are unfinished',
  );
  expect(connection.isOpen).toBe(false);
});
