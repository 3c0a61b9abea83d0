import { EventEmitter } from 'node:events';
import type { Socket } from 'node:net';
import { expect, test } from '@jest/globals';
import type { Connection } from '../../../../operator/servers/listener/connection.ts';
import type { ConnectionLimit, LoadLimits } from '../../../../operator/servers/listener/load-limits.ts';
import { recordedMetrics } from '../../../support/quiet.ts';
import { testLoadLimits } from './test-load-limits.ts';

const connect = ({ connections }: LoadLimits, address: string): Connection => {
  const socket = Object.assign(new EventEmitter(), { remoteAddress: address, destroy: () => undefined });
  const connection = connections.admit(socket as unknown as Socket, 'grpc');
  if (!connection) throw new Error('the connection was refused');
  return connection;
};

/** Has as many in use as a connection gets, up to `most`; returns what gives them back. */
const fill = (limit: ConnectionLimit, connection: Connection, most: number): (() => void)[] => {
  const releases: (() => void)[] = [];
  for (let release = limit.take(connection); release; release = limit.take(connection)) {
    releases.push(release);
    if (releases.length === most) break;
  }
  return releases;
};

const ADDRESSES = ['192.0.2.1', '192.0.2.2'];

test.each(['streams', 'unfinishedRequests'] as const)(
  '%s: two addresses do not keep a third one out',
  (name) => {
    const metrics = recordedMetrics();
    const load = testLoadLimits({ metrics });
    const hoarders = ADDRESSES.flatMap((address) =>
      Array.from({ length: 4 }, () => {
        const connection = connect(load, address);
        fill(load[name], connection, 256);
        return connection;
      }),
    );
    expect(load[name].size).toBe(2048);
    expect(load[name].take(hoarders[0] as Connection)).toBeUndefined();
    expect(load[name].take(connect(load, '192.0.2.3'))).toBeDefined();
    expect(load[name].size).toBe(1793);
    expect(hoarders.filter(({ isOpen }) => !isOpen)).toHaveLength(1);
    expect(metrics.calls).toEqual([
      ['limited', 'grpc', name, 'refused'],
      ['limited', 'grpc', name, 'shed'],
    ]);
  },
);

test('a connection on which a caller has authenticated is not closed for others', () => {
  const load = testLoadLimits();
  const known = ADDRESSES.map((address) => connect(load, address));
  for (const connection of known) {
    connection.prove();
    fill(load.unfinishedRequests, connection, 1024);
  }
  expect(load.unfinishedRequests.take(connect(load, '192.0.2.3'))).toBeUndefined();
  expect(known.map(({ isOpen }) => isOpen)).toEqual([true, true]);
});

test('connections with and without an authenticated caller share a total, of which each have a part to themselves', () => {
  const load = testLoadLimits({ perAddress: { streams: 10_000 } });
  const [unknown, known] = [connect(load, '192.0.2.1'), connect(load, '192.0.2.2')];
  known.prove();
  const some = fill(load.streams, unknown, 10_000);
  expect(some).toHaveLength(2048);
  expect(fill(load.provenStreams, known, 10_000)).toHaveLength(2048);
  for (const release of some) release();
  expect(fill(load.provenStreams, known, 10_000)).toHaveLength(1024);
  expect(fill(load.streams, unknown, 10_000)).toHaveLength(1024);
});

test('what a connection had is free once, when it is closed or when it is given back', () => {
  const load = testLoadLimits();
  const [closed, open] = [connect(load, '192.0.2.1'), connect(load, '192.0.2.1')];
  const releases = [...fill(load.streams, closed, 3), ...fill(load.streams, open, 2)];
  load.connections.shed(closed, 'bytes');
  expect([load.streams.size, load.streams.take(closed)]).toEqual([2, undefined]);
  for (const release of [...releases, ...releases]) release();
  expect(load.streams.size).toBe(0);
});

test('a trusted proxy is limited by the total alone', () => {
  const load = testLoadLimits({ trustedProxies: ['192.0.2.1'], perAddress: { streams: 2 } });
  expect(fill(load.streams, connect(load, '192.0.2.1'), 100)).toHaveLength(100);
  expect(fill(load.streams, connect(load, '192.0.2.2'), 100)).toHaveLength(2);
});
