import { afterEach, beforeEach, expect, jest, test } from '@jest/globals';
import { systemClock } from '../../../operator/ops/system-clock.ts';

/** Durations come from users: a timer of months must not fire at once, as Node's do beyond 2^31 - 1 ms. */

beforeEach(() => {
  jest.useFakeTimers();
});
afterEach(() => {
  jest.useRealTimers();
});

const DAY_MS = 86_400_000;

test.each([
  0,
  1,
  1000,
  24 * DAY_MS,
  2 ** 31 - 1,
  2 ** 31,
  2 ** 31 + 1,
  25 * DAY_MS,
  400 * DAY_MS,
  36_500 * DAY_MS,
])('a timer of %d ms fires then, and not before', (ms) => {
  let fired = 0;
  systemClock.after(ms, () => {
    fired += 1;
  });
  jest.advanceTimersByTime(Math.max(0, ms - 2));
  expect(fired).toBe(ms < 2 ? fired : 0);
  jest.advanceTimersByTime(4);
  expect(fired).toBe(1);
  expect(jest.getTimerCount()).toBe(0);
});

test('a timer of months that is cancelled after its first weeks does not fire', () => {
  let isFired = false;
  const cancel = systemClock.after(60 * DAY_MS, () => {
    isFired = true;
  });
  jest.advanceTimersByTime(30 * DAY_MS);
  cancel();
  jest.advanceTimersByTime(60 * DAY_MS);
  expect([isFired, jest.getTimerCount()]).toEqual([false, 0]);
});
