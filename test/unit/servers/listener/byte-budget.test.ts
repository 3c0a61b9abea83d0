import { EventEmitter } from 'node:events';
import type { Socket } from 'node:net';
import { expect, test } from '@jest/globals';
import { addressGroup } from '../../../../operator/domain/caller-address.ts';
import { ByteBudget } from '../../../../operator/servers/listener/byte-budget.ts';
import type { Connection } from '../../../../operator/servers/listener/connection.ts';
import { ConnectionTable } from '../../../../operator/servers/listener/connection-table.ts';
import { FakeClock } from '../../../support/fake-clock.ts';

const makeBudget = (limit: number) => {
  const [clock, reports] = [new FakeClock(), [] as string[]];
  const connections = new ConnectionTable({
    total: 100,
    perAddress: 100,
    perSecond: 100,
    groupOf: addressGroup,
    clock,
    report: (...report) => reports.push(report.join(' ')),
    onRemoved: (connection) => budget.forget(connection),
  });
  const budget = new ByteBudget({ limit, connections, clock });
  const open = (address: string, isProven = false): { socket: EventEmitter; connection: Connection } => {
    const destroy = (): boolean => socket.emit('close');
    const socket = Object.assign(new EventEmitter(), { remoteAddress: address, destroy });
    const connection = connections.admit(socket as unknown as Socket, 'http');
    if (!connection) throw new Error('the connection was refused');
    if (isProven) connection.prove();
    return { socket, connection };
  };
  return { budget, clock, open, reports };
};

test('beyond the budget the connection with the most is closed, of the address with the most', () => {
  const { budget, open, reports } = makeBudget(100);
  const [largest, many, more] = [open('192.0.2.1'), open('192.0.2.2'), open('192.0.2.2')];
  expect(budget.take(largest.connection, 40)).toBe(true);
  expect(budget.take(many.connection, 35)).toBe(true);
  expect(budget.take(more.connection, 30)).toBe(true);
  expect([largest, many, more].map(({ connection }) => connection.isOpen)).toEqual([true, false, true]);
  expect(reports).toEqual(['http bytes shed']);
});

test('one on which a caller has authenticated is closed last', () => {
  const { budget, open } = makeBudget(100);
  const [known, other, unknown] = [open('192.0.2.1', true), open('192.0.2.3', true), open('192.0.2.2')];
  budget.take(known.connection, 90);
  budget.take(unknown.connection, 5);
  expect(budget.take(unknown.connection, 10)).toBe(false);
  expect([known, unknown].map(({ connection }) => connection.isOpen)).toEqual([true, false]);
  budget.take(other.connection, 20);
  expect([known, other].map(({ connection }) => connection.isOpen)).toEqual([false, true]);
});

test('one on which a caller has authenticated is closed where the others keep little beside it', () => {
  const { budget, open } = makeBudget(100);
  const [known, ...strangers] = [open('192.0.2.1', true), open('192.0.2.2'), open('192.0.2.3')];
  for (const { connection } of strangers) budget.take(connection, 5);
  expect(budget.take(known.connection, 95)).toBe(false);
  expect(strangers.map(({ connection }) => connection.isOpen)).toEqual([true, true]);
});

test('what is given back, or was kept by a connection that has ended, can be taken again', () => {
  const { budget, open } = makeBudget(100);
  const [first, second, third] = [open('192.0.2.1', true), open('192.0.2.2', true), open('192.0.2.3', true)];
  budget.take(first.connection, 60);
  budget.take(second.connection, 40);
  expect(budget.isScarce).toBe(true);
  budget.take(first.connection, -60);
  expect(budget.isScarce).toBe(false);
  second.socket.emit('close');
  budget.take(second.connection, -40);
  expect(budget.take(third.connection, 100)).toBe(true);
  expect([first, third].map(({ connection }) => connection.isOpen)).toEqual([true, true]);
});

test('connections that can only be measured are measured every 100 ms, while there are any', async () => {
  const { budget, clock, open } = makeBudget(100);
  const [one, other] = [open('192.0.2.1'), open('192.0.2.2')];
  let bytes = 10;
  budget.watch(one.connection, () => bytes);
  budget.watch(other.connection, () => 30);
  await clock.advance(100);
  expect([one, other].map(({ connection }) => connection.heldBytes)).toEqual([10, 30]);
  bytes = 80;
  await clock.advance(100);
  expect([one, other].map(({ connection }) => connection.isOpen)).toEqual([false, true]);
  other.socket.emit('close');
  await clock.advance(100);
  expect(clock.pending).toBe(0);
});
