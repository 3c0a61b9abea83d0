import { expect, test } from '@jest/globals';
import { HandshakeQueue } from '../../../../operator/servers/listener/handshake-queue.ts';
import { FakeClock, settle } from '../../../support/fake-clock.ts';

const recording = () => {
  const [clock, started] = [new FakeClock(), [] as string[]];
  const queue = new HandshakeQueue(clock);
  const add = (group: string, name: string) => queue.add(group, () => started.push(name));
  return { clock, started, add };
};

test('few handshakes start at once', () => {
  const { add, started } = recording();
  for (const name of ['1', '2', '3', '4']) add('a', name);
  expect(started).toEqual(['1', '2', '3', '4']);
});

test('a flood starts at 400 per second', async () => {
  const { add, clock, started } = recording();
  for (let at = 0; at < 1000; at += 1) add('a', String(at));
  expect(started).toHaveLength(4);
  await clock.advance(1000);
  expect(started).toHaveLength(404);
  await clock.advance(1500);
  expect(started).toEqual(Array.from({ length: 1000 }, (_, at) => String(at)));
  await clock.advance(10);
  expect(clock.pending).toBe(0);
});

test('one group does not keep another waiting', async () => {
  const { add, clock, started } = recording();
  for (let at = 0; at < 1000; at += 1) add('flood', 'flood');
  add('other', 'other');
  await clock.advance(10);
  expect(started).toContain('other');
});

test('a handshake that is cancelled does not start', async () => {
  const { add, clock, started } = recording();
  for (let at = 0; at < 4; at += 1) add('a', 'first');
  const cancel = add('a', 'cancelled');
  add('a', 'last');
  cancel();
  await clock.advance(20);
  expect(started).toEqual(['first', 'first', 'first', 'first', 'last']);
});

test.each([
  [25, 12],
  [10_000, 20],
])('a timer that is %i ms late makes up for it, up to five periods', async (lateMs, expected) => {
  const { add, clock, started } = recording();
  for (let at = 0; at < 1000; at += 1) add('a', String(at));
  clock.freeze(lateMs);
  await clock.advance(0);
  expect(started).toHaveLength(4 + expected);
});

test('what a late timer makes up for starts in several turns of the event loop', async () => {
  const clock = new FakeClock();
  const queue = new HandshakeQueue(clock);
  const perTurn: number[] = [];
  let started = 0;
  for (let at = 0; at < 24; at += 1) {
    queue.add('a', () => {
      started += 1;
      if (started > 1) return;
      setImmediate(() => {
        perTurn.push(started);
        started = 0;
      });
    });
  }
  await settle();
  clock.freeze(10_000);
  await clock.advance(0);
  expect(perTurn).toEqual([4, 4, 4, 4, 4, 4]);
});
