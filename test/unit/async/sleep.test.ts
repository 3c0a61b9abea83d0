import { expect, test } from '@jest/globals';
import { sleep } from '../../../operator/async/sleep.ts';
import { FakeClock } from '../../support/fake-clock.ts';

test('it resolves true after its time', async () => {
  const clock = new FakeClock();
  const sleeping = sleep(clock, 1000);
  await clock.advance(1000);
  expect(await sleeping).toBe(true);
});

test.each([0, 1])('it resolves false, and leaves no timer, when signal %i aborts', async (at) => {
  const clock = new FakeClock();
  const aborts = [new AbortController(), new AbortController()];
  const sleeping = sleep(clock, 1000, ...aborts.map(({ signal }) => signal));
  aborts[at]?.abort();
  expect([await sleeping, clock.pending]).toEqual([false, 0]);
  expect(await sleep(clock, 1000, ...aborts.map(({ signal }) => signal))).toBe(false);
});
