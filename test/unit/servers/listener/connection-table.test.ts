import { EventEmitter } from 'node:events';
import type { Socket } from 'node:net';
import { describe, expect, test } from '@jest/globals';
import { addressGroup, createGroupOf } from '../../../../operator/domain/caller-address.ts';
import {
  ConnectionTable,
  type ConnectionTableOptions,
} from '../../../../operator/servers/listener/connection-table.ts';
import { FakeClock } from '../../../support/fake-clock.ts';

/** A socket, as far as the table knows one. */
class FakeSocket extends EventEmitter {
  readonly remoteAddress: string | undefined;
  isOpen = true;

  constructor(address: string | undefined) {
    super();
    this.remoteAddress = address;
  }

  destroy(): void {
    this.isOpen = false;
    this.emit('close');
  }

  resetAndDestroy(): void {
    this.destroy();
  }
}

const makeTable = (limits: Partial<ConnectionTableOptions> = {}) => {
  const [clock, reports] = [new FakeClock(), [] as string[]];
  const table = new ConnectionTable({
    total: 4,
    perAddress: 3,
    perSecond: 1000,
    groupOf: addressGroup,
    clock,
    onRemoved: () => undefined,
    report: (...report) => reports.push(report.join(' ')),
    ...limits,
  });
  /** Opens a connection; `use` says what happens on it. */
  const open = (
    address: string | undefined,
    use: 'nothing' | 'request' | 'authenticated' | 'both' = 'nothing',
  ) => {
    const socket = new FakeSocket(address);
    const connection = table.admit(socket as unknown as Socket, 'grpc');
    if (use === 'request' || use === 'both') connection?.begin();
    if (use === 'authenticated' || use === 'both') connection?.prove();
    return { socket, connection };
  };
  return { table, clock, reports, open };
};

const openSockets = (all: readonly { readonly socket: FakeSocket }[]): boolean[] =>
  all.map(({ socket }) => socket.isOpen);

describe('of one address', () => {
  test('a new connection takes the place of the oldest idle one without an authenticated caller', () => {
    const { open, reports } = makeTable();
    const all = [open('192.0.2.1', 'authenticated'), open('192.0.2.1', 'request'), open('192.0.2.1')];
    const next = open('192.0.2.1');
    expect(openSockets([...all, next])).toEqual([true, true, false, true]);
    expect(reports).toEqual(['grpc addressConnections shed']);
  });

  test('it is refused where callers have authenticated on all', () => {
    const { open, reports } = makeTable();
    const all = [1, 2, 3].map(() => open('192.0.2.1', 'authenticated'));
    const next = open('192.0.2.1');
    expect(openSockets([...all, next])).toEqual([true, true, true, false]);
    expect(next.connection).toBeUndefined();
    expect(reports).toEqual(['grpc addressConnections refused']);
  });

  test('all addresses of an IPv6 /64, and all forms of an IPv4 address, count together', () => {
    const { open } = makeTable({ perAddress: 1 });
    const [six, four] = [open('2001:db8::1', 'authenticated'), open('192.0.2.1', 'authenticated')];
    expect(open('2001:db8::2').connection).toBeUndefined();
    expect(open('2001:db8:0:1::1').connection).toBeDefined();
    expect(open('::ffff:192.0.2.1').connection).toBeUndefined();
    expect(openSockets([six, four])).toEqual([true, true]);
    expect(open('::ffff:192.0.2.2').connection?.address).toBe('192.0.2.2');
  });

  test('the rate of new connections is limited, and a flood counts as several', async () => {
    const { clock, open, reports, table } = makeTable({ perAddress: 2, perSecond: 10 });
    const admitted = (address: string): boolean => {
      const { socket, connection } = open(address);
      socket.destroy();
      return connection !== undefined;
    };
    const burst = Array.from({ length: 12 }, () => admitted('192.0.2.1'));
    expect(burst).not.toContain(false);
    expect(admitted('192.0.2.1')).toBe(false);
    expect(reports).toEqual(['grpc connectionRate refused']);
    expect(admitted('192.0.2.2')).toBe(true);
    await clock.advance(100);
    expect([admitted('192.0.2.1'), admitted('192.0.2.1')]).toEqual([true, false]);
    await clock.advance(1000);
    table.penalize('192.0.2.1', 50);
    expect(admitted('192.0.2.1')).toBe(false);
    await clock.advance(100);
    expect(admitted('192.0.2.1')).toBe(true);
  });

  test.each([
    ['its bytes', 'bytes', 'request', 50],
    ['its calls', 'streams', 'request', 50],
    ['its bytes, with an authenticated caller,', 'bytes', 'both', 300],
    ['the number of connections', 'connections', 'request', 300],
  ] as const)('one that is closed for %s leaves room for new ones', (_why, limit, use, expected) => {
    const { table, open } = makeTable({ total: 1000, perAddress: 300, perSecond: 1 });
    const { connection } = open('192.0.2.1', use);
    if (connection) table.shed(connection, limit);
    const admitted = Array.from({ length: 400 }, () => open('192.0.2.1', 'both').connection);
    expect(admitted.filter((found) => found !== undefined)).toHaveLength(expected);
    expect(open('192.0.2.2').connection).toBeDefined();
  });

  test('a trusted proxy has no limit of its own', () => {
    const { open } = makeTable({
      groupOf: createGroupOf(['192.0.2.1']),
      perAddress: 1,
      perSecond: 1,
      total: 100,
    });
    const all = Array.from({ length: 50 }, () => open('192.0.2.1', 'authenticated'));
    expect(openSockets(all)).not.toContain(false);
  });
});

describe('at the total', () => {
  test('one without an authenticated caller of the address with the most of these makes room', () => {
    const { open, reports } = makeTable();
    const all = [open('192.0.2.2'), open('192.0.2.1'), open('192.0.2.1'), open('192.0.2.3', 'authenticated')];
    const next = open('192.0.2.4');
    expect(openSockets([...all, next])).toEqual([true, false, true, true, true]);
    expect(reports).toEqual(['grpc connections shed']);
  });

  test('one with a request in progress makes room only where none is idle', () => {
    const { open } = makeTable({ total: 2 });
    const all = [open('192.0.2.1', 'request'), open('192.0.2.1')];
    const next = open('192.0.2.2');
    expect(openSockets([...all, next])).toEqual([true, false, true]);
  });

  test('where callers have authenticated on all, the one that is idle for the longest time makes room', async () => {
    const { clock, open } = makeTable();
    const all = [
      open('192.0.2.1', 'both'),
      open('192.0.2.2', 'both'),
      open('192.0.2.2', 'both'),
      open('192.0.2.1', 'both'),
    ];
    for (const at of [1, 2, 3]) {
      await clock.advance(10);
      all[at]?.connection?.end();
    }
    const next = open('192.0.2.3');
    expect(openSockets([...all, next])).toEqual([true, false, true, true, true]);
  });

  test('where all are busy for callers that have authenticated, the new one is refused', () => {
    const { open, reports } = makeTable();
    const all = [1, 2, 3, 4].map((at) => open(`192.0.2.${at}`, 'both'));
    const next = open('192.0.2.5');
    expect(openSockets([...all, next])).toEqual([true, true, true, true, false]);
    expect(reports).toEqual(['grpc connections refused']);
  });

  test('no number of connections of one address keeps another one out', () => {
    const { open, table } = makeTable({ total: 50, perAddress: 50, perSecond: 1_000_000 });
    for (let at = 0; at < 200; at += 1) open('192.0.2.1', 'request');
    const honest = open('192.0.2.2');
    for (let at = 0; at < 200; at += 1) open('192.0.2.1', 'request');
    expect(honest.socket.isOpen).toBe(true);
    expect(table.size).toBe(50);
  });
});

test('a connection that is closed is forgotten', () => {
  const { open, table } = makeTable();
  const { socket } = open('192.0.2.1');
  expect([table.size, [...table].length]).toEqual([1, 1]);
  socket.destroy();
  expect([table.size, [...table].length]).toEqual([0, 0]);
});

test('a connection that has ended before it was accepted is none', () => {
  const { open, reports, table } = makeTable();
  expect(open(undefined).connection).toBeUndefined();
  expect([table.size, reports]).toEqual([0, []]);
});
