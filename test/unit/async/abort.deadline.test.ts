import { expect, test } from '@jest/globals';
import { settlesWithin, withDeadline } from '../../../operator/async/abort.ts';
import { FakeClock } from '../../support/fake-clock.ts';

const untilAborted = (signal: AbortSignal): Promise<never> =>
  new Promise((_resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason));
  });

test('work that is done in time leaves no timer behind', async () => {
  const clock = new FakeClock();
  expect(await withDeadline({ clock, ms: 1000 }, async () => 1)).toBe(1);
  expect(clock.pending).toBe(0);
});

test('the signal of the work aborts at the deadline', async () => {
  const clock = new FakeClock();
  const late = withDeadline({ clock, ms: 1000 }, untilAborted);
  const outcome = expect(late).rejects.toThrow('no answer in 1000 ms');
  await clock.advance(1000);
  await outcome;
});

test('the signal of the work aborts with the one given', async () => {
  const clock = new FakeClock();
  const abort = new AbortController();
  const work = withDeadline({ clock, ms: 1000, signal: abort.signal }, untilAborted);
  abort.abort(new Error('gone'));
  await expect(work).rejects.toThrow('gone');
  expect(clock.pending).toBe(0);
});

test('settlesWithin says whether the promise settled in time, however it did', async () => {
  const clock = new FakeClock();
  expect(await settlesWithin(clock, 10, Promise.resolve())).toBe(true);
  expect(await settlesWithin(clock, 10, Promise.reject(new Error('no')))).toBe(true);
  expect(clock.pending).toBe(0);
  const late = settlesWithin(clock, 10, new Promise(() => undefined));
  await clock.advance(10);
  expect(await late).toBe(false);
});
