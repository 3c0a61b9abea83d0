import { EventEmitter } from 'node:events';
import type { ServerHttp2Session, ServerHttp2Stream } from 'node:http2';
import type { Socket } from 'node:net';
import { expect, test } from '@jest/globals';
import { StreamGate } from '../../../../operator/servers/grpc/stream-gate.ts';
import type { Connection } from '../../../../operator/servers/listener/connection.ts';
import type { LoadLimits } from '../../../../operator/servers/listener/load-limits.ts';
import { FakeClock, settle } from '../../../support/fake-clock.ts';
import { testLoadLimits } from '../listener/test-load-limits.ts';
import { pathOf } from './raw-call.ts';

/** Calls without a network, in turns of the event loop that the test ends; to begin a call takes 1 ms. */
const setUp = (load: LoadLimits = testLoadLimits()) => {
  const clock = new FakeClock();
  const deferred: (() => void)[] = [];
  const connections = new Map<unknown, Connection>();
  const begun: string[] = [];
  const answers: Record<string, unknown>[] = [];
  const gate = new StreamGate({
    load,
    clock,
    connectionOf: (socket) => connections.get(socket),
    defer: (work) => void deferred.push(work),
  });
  const connect = (remoteAddress: string) => {
    const socket = Object.assign(new EventEmitter(), { remoteAddress, destroy: () => undefined });
    const connection = load.connections.admit(socket as unknown as Socket, 'grpc');
    if (!connection) throw new Error('the connection was refused');
    connections.set(socket, connection);
    const session = Object.assign(new EventEmitter(), { socket, destroyed: false });
    gate.onSession(session as unknown as ServerHttp2Session);
    const open = (name: string, path = pathOf('CreateToken')) => {
      const stream = Object.assign(new EventEmitter(), {
        session,
        closed: false,
        destroyed: false,
        aborted: false,
        rstCode: 0,
        respond: (headers: Record<string, unknown>) => answers.push(headers),
      });
      gate.onStream(stream as unknown as ServerHttp2Stream, { ':path': path }, () => {
        clock.freeze(1);
        begun.push(name);
      });
      return stream;
    };
    return { connection, open };
  };
  /** The next turn of the event loop: the calls that begin in it. */
  const nextTurn = async (): Promise<string> => {
    const before = begun.length;
    for (const work of deferred.splice(0)) work();
    await settle();
    return begun.slice(before).join(' ');
  };
  return { answers, begun, connect, nextTurn };
};

test('of many calls at once a few begin in each turn of the event loop', async () => {
  const { begun, connect, nextTurn } = setUp();
  const { open } = connect('192.0.2.1');
  for (let at = 0; at < 12; at += 1) open(`a${at}`);
  expect(begun).toEqual(['a0', 'a1', 'a2', 'a3', 'a4']);
  expect(await nextTurn()).toBe('a5 a6 a7 a8 a9');
  expect(await nextTurn()).toBe('a10 a11');
  expect(await nextTurn()).toBe('');
});

test('calls of another address do not wait behind them, and those of an address take turns by connection', async () => {
  const { connect, nextTurn } = setUp();
  const [first, second, other] = [connect('192.0.2.1'), connect('192.0.2.1'), connect('192.0.2.2')];
  for (let at = 0; at < 100; at += 1) first.open('first');
  second.open('second');
  other.open('other');
  expect(await nextTurn()).toBe('first other second first first');
});

test('calls on a connection with an authenticated caller begin at once', () => {
  const { begun, connect } = setUp();
  const [stranger, caller] = [connect('192.0.2.1'), connect('192.0.2.1')];
  caller.connection.prove();
  for (let at = 0; at < 10; at += 1) stranger.open('stranger');
  for (let at = 0; at < 10; at += 1) caller.open('caller');
  expect(begun.filter((name) => name === 'caller')).toHaveLength(10);
});

test('a call that has ended before its turn does not begin', async () => {
  const { begun, connect, nextTurn } = setUp();
  const { open } = connect('192.0.2.1');
  const streams = Array.from({ length: 8 }, (_, at) => open(`a${at}`));
  const [ended] = streams.slice(6);
  if (!ended) throw new Error('no stream');
  Object.assign(ended, { closed: true });
  ended.emit('close');
  expect(await nextTurn()).toBe('a5 a7');
  expect(begun).not.toContain('a6');
});

test.each([
  ['/grpc.health.v1.Health/Watch', 3, 'cannot tell health: too many watches are open'],
  [
    '/grpc.reflection.v1.ServerReflection/ServerReflectionInfo',
    32,
    'cannot reflect: too many streams are open',
  ],
  [
    '/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo',
    32,
    'cannot reflect: too many streams are open',
  ],
])('nothing runs for a stream of %s beyond %i of an address', (path, limit, message) => {
  const { answers, begun, connect } = setUp(testLoadLimits({ perAddress: { healthWatches: 3 } }));
  const { connection, open } = connect('192.0.2.1');
  connection.prove();
  const streams = Array.from({ length: limit + 2 }, () => open('stream', path));
  open('check', '/grpc.health.v1.Health/Check');
  expect(begun).toEqual([...Array.from({ length: limit }, () => 'stream'), 'check']);
  const refused = { 'grpc-status': 8, 'grpc-message': message };
  expect(answers).toMatchObject([refused, refused]);
  streams[0]?.emit('close');
  open('again', path);
  expect(begun.at(-1)).toBe('again');
});
