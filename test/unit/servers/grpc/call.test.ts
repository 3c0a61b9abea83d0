import { EventEmitter } from 'node:events';
import { Metadata, status } from '@grpc/grpc-js';
import { expect, test } from '@jest/globals';
import { addressOf, openCall } from '../../../../operator/servers/grpc/call.ts';
import { FakeClock } from '../../../support/fake-clock.ts';
import { recordedLog, recordedMetrics } from '../../../support/quiet.ts';

/** What sockets can't show. */

const METHOD = { name: 'GetTokens', purpose: 'get tokens', successLevel: 'info' } as const;

const open = ({
  authorizations = [] as string[],
  deadline = Number.POSITIVE_INFINITY,
  cancelled = false,
}) => {
  const metadata = new Metadata();
  for (const value of authorizations) metadata.add('authorization', value);
  const call = Object.assign(new EventEmitter(), {
    cancelled,
    metadata,
    getPeer: () => '192.0.2.1:1',
    getDeadline: () => deadline,
  });
  const deps = { clock: new FakeClock(), log: recordedLog(), metrics: recordedMetrics() };
  return { call, deps, opened: openCall(call, METHOD, deps) };
};

test('one authorization is passed on unchanged, none as undefined', () => {
  expect(open({ authorizations: ['Bearer one'] }).opened.context.authorization()).toBe('Bearer one');
  expect(open({}).opened.context.authorization()).toBeUndefined();
});

test('two authorizations are rejected, should Node ever pass both on', () => {
  const { opened } = open({ authorizations: ['Bearer one', 'Bearer two'] });
  expect(() => opened.context.authorization()).toThrow(
    expect.objectContaining({ code: 'BearerInvalid', message: 'more than one bearer is given' }),
  );
});

test('a call that was cancelled before it was opened has an aborted signal', () => {
  expect(open({ cancelled: true }).opened.context.signal.aborted).toBe(true);
});

test('what is thrown after a cancellation is CANCELLED, or DEADLINE_EXCEEDED after the deadline', () => {
  const cancelled = open({});
  cancelled.call.emit('cancelled');
  expect(cancelled.opened.failureOf(new Error('aborted')).code).toBe(status.CANCELLED);
  const late = open({ deadline: Date.UTC(2026, 0, 1) });
  late.call.emit('cancelled');
  expect(late.opened.failureOf(new Error('aborted')).code).toBe(status.DEADLINE_EXCEEDED);
});

test.each([
  ['DEADLINE_EXCEEDED', 'at its deadline', 0],
  ['DEADLINE_EXCEEDED', '100 ms before its deadline, as by a client whose request took so long', 100],
  ['CANCELLED', '101 ms before its deadline', 101],
] as const)('%s: a call that is cancelled %s', (code, _, leftMs) => {
  const { call, opened } = open({ deadline: Date.UTC(2026, 0, 1) + leftMs });
  call.emit('cancelled');
  expect(opened.failureOf(new Error('aborted')).code).toBe(status[code]);
});

test('a cancelled call stays CANCELLED if its method ends after the deadline', async () => {
  const { call, opened, deps } = open({ deadline: Date.UTC(2026, 0, 1) + 5000 });
  call.emit('cancelled');
  await deps.clock.advance(6000);
  expect(opened.failureOf(new Error('aborted')).code).toBe(status.CANCELLED);
});

test('a call counts once, with the time that it took', async () => {
  const { opened, deps } = open({});
  await deps.clock.advance(1250);
  opened.ended(status.OK);
  opened.ended(status.CANCELLED);
  expect(deps.metrics.calls).toEqual([['grpcCall', 'GetTokens', 'OK', 1.25]]);
  expect(deps.log.lines).toHaveLength(1);
  expect(deps.log.lines[0]?.fields).toMatchObject({ ms: 1250 });
});

test('the end of a call, which grpc-js calls cancelled too, does not abort what goes on', () => {
  const { call, opened } = open({});
  opened.ended(status.OK);
  call.emit('cancelled');
  expect(opened.context.signal.aborted).toBe(false);
  expect(call.listenerCount('cancelled')).toBe(0);
});
test.each([
  ['192.0.2.1:50000', '192.0.2.1'],
  ['192.0.2.1', '192.0.2.1'],
  ['::ffff:192.0.2.1:50000', '192.0.2.1'],
  ['2001:db8::1:50000', '2001:db8::1'],
  ['[2001:db8::1]:50000', '2001:db8::1'],
  ['[2001:db8::1]', '2001:db8::1'],
  ['::1:50000', '::1'],
  ['fe80::1%eth0:50000', 'fe80::1%eth0'],
  ['unknown', 'unknown'],
])('the peer %s has the address %s', (peer, address) => {
  expect(addressOf(peer)).toBe(address);
});
