import { expect, test } from '@jest/globals';
import { requestProgressWhenSilent } from '../../../operator/runtime/progress-requests.ts';
import { FakeClock, settle } from '../../support/fake-clock.ts';

const run = (requestProgress: () => Promise<void>) => {
  const clock = new FakeClock();
  const stop = new AbortController();
  const progress = { at: clock.now() };
  let progressRequests = 0;
  requestProgressWhenSilent({
    clock,
    silentMs: 30_000,
    lastProgress: () => progress.at,
    requestProgress: () => {
      progressRequests += 1;
      return requestProgress();
    },
    signal: stop.signal,
  });
  return { clock, progress, stop: () => stop.abort(), progressRequests: () => progressRequests };
};

test('requests progress after a silence, and again while it lasts', async () => {
  const { clock, progressRequests } = run(async () => undefined);
  await clock.advance(29_999);
  expect(progressRequests()).toBe(0);
  await clock.advance(1);
  expect(progressRequests()).toBe(1);
  await clock.advance(60_000);
  expect(progressRequests()).toBe(3);
});

test('counts the silence from what came last', async () => {
  const { clock, progress, progressRequests } = run(async () => undefined);
  await clock.advance(20_000);
  progress.at = clock.now();
  await clock.advance(29_999);
  expect(progressRequests()).toBe(0);
  await clock.advance(1);
  expect(progressRequests()).toBe(1);
});

test('has one under way at a time, and goes on after one that failed', async () => {
  const answer = Promise.withResolvers<void>();
  const { clock, progressRequests } = run(() => answer.promise);
  await clock.advance(300_000);
  expect(progressRequests()).toBe(1);
  answer.reject(new Error('rejected'));
  await settle();
  await clock.advance(30_000);
  expect(progressRequests()).toBe(2);
});

test('ends with its signal, and leaves no timer', async () => {
  const { clock, stop, progressRequests } = run(async () => undefined);
  stop();
  expect(clock.pending).toBe(0);
  await clock.advance(300_000);
  expect(progressRequests()).toBe(0);
});
