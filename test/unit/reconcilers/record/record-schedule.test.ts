import { expect, test } from '@jest/globals';
import { RecordSchedule } from '../../../../operator/reconcilers/record/record-schedule.ts';
import { FakeClock } from '../../../support/fake-clock.ts';

const setUp = () => {
  const clock = new FakeClock();
  const begin = clock.now();
  const added: string[] = [];
  const state = { isClockUsable: true, asked: 0 };
  const queue = { add: (key: string, priority?: string) => added.push(`${key} ${priority}`) };
  const isClockUsable = () => {
    state.asked += 1;
    return state.isClockUsable;
  };
  const schedule = new RecordSchedule({ queue, clock, isClockUsable });
  return { clock, added, state, schedule, add: (key: string, ms: number) => schedule.add(key, begin + ms) };
};

test('keys go into the queue at low priority, each at its time, under one timer', async () => {
  const { clock, added, schedule, add } = setUp();
  for (const [key, ms] of [
    ['b', 2000],
    ['c', 3000],
    ['a', 1000],
    ['past', -5],
  ] as const)
    add(key, ms);
  expect(clock.pending).toBe(1);
  await clock.advance(0);
  expect(added).toEqual(['past low']);
  await clock.advance(1999);
  expect(added.slice(1)).toEqual(['a low']);
  await clock.advance(1001);
  expect(added.slice(2)).toEqual(['b low', 'c low']);
  expect([clock.pending, schedule.size]).toEqual([0, 0]);
});

test('a key goes in at the earlier of its times, once', async () => {
  const { clock, added, add } = setUp();
  add('a', 2000);
  add('a', 1000);
  add('a', 3000);
  await clock.advance(5000);
  expect(added).toEqual(['a low']);
});

test('a key that was forgotten does not go in', async () => {
  const { clock, added, schedule, add } = setUp();
  add('a', 1000);
  add('b', 1000);
  schedule.delete('a');
  await clock.advance(5000);
  expect(added).toEqual(['b low']);
});

test('of many keys that are due together, a piece goes in at a time', async () => {
  const { clock, added, add } = setUp();
  for (let n = 0; n < 1200; n++) add(`k${n}`, 1000);
  const sizes: number[] = [];
  await clock.advance(999);
  clock.after(1, () => sizes.push(added.length));
  for (let n = 0; n < 3; n++) {
    await clock.advance(n === 0 ? 1 : 0);
    sizes.push(added.length);
  }
  expect(sizes).toContain(500);
  expect(new Set(added).size).toBe(1200);
});

test('while the clock can’t be trusted nothing goes in, and what is added waits too', async () => {
  const { clock, added, state, add } = setUp();
  add('a', 1000);
  state.isClockUsable = false;
  await clock.advance(2000);
  add('b', 2001);
  await clock.advance(10_000);
  expect([added, state.asked]).toEqual([[], 1]);
  state.isClockUsable = true;
  await clock.advance(15_000);
  expect(added).toEqual(['a low', 'b low']);
});

test('a clock that is set forward makes keys due within the hour', async () => {
  const { clock, added, add } = setUp();
  add('a', 10 * 3_600_000);
  clock.step(10 * 3_600_000);
  await clock.advance(3_600_000);
  expect(added).toEqual(['a low']);
});

test('at the end everything is forgotten', async () => {
  const { clock, added, schedule, add } = setUp();
  add('a', 1000);
  schedule.stop();
  await clock.advance(5000);
  expect([added, clock.pending, schedule.size]).toEqual([[], 0, 0]);
});
