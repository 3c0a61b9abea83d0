import { expect, test } from '@jest/globals';
import { advanceWatchCacheWhenSilent } from '../../../operator/runtime/watch-cache-advance.ts';
import { FakeClock, settle } from '../../support/fake-clock.ts';

const run = (advanceWatchCache: () => Promise<void>) => {
  const clock = new FakeClock();
  const stop = new AbortController();
  const progress = { at: clock.now() };
  let advances = 0;
  advanceWatchCacheWhenSilent({
    clock,
    silentMs: 30_000,
    lastProgress: () => progress.at,
    advanceWatchCache: () => {
      advances += 1;
      return advanceWatchCache();
    },
    signal: stop.signal,
  });
  return { clock, progress, stop: () => stop.abort(), advances: () => advances };
};

test('requests progress after a silence, and again while it lasts', async () => {
  const { clock, advances } = run(async () => undefined);
  await clock.advance(29_999);
  expect(advances()).toBe(0);
  await clock.advance(1);
  expect(advances()).toBe(1);
  await clock.advance(60_000);
  expect(advances()).toBe(3);
});

test('counts the silence from what came last', async () => {
  const { clock, progress, advances } = run(async () => undefined);
  await clock.advance(20_000);
  progress.at = clock.now();
  await clock.advance(29_999);
  expect(advances()).toBe(0);
  await clock.advance(1);
  expect(advances()).toBe(1);
});

test('has one under way at a time, and goes on after one that failed', async () => {
  const answer = Promise.withResolvers<void>();
  const { clock, advances } = run(() => answer.promise);
  await clock.advance(300_000);
  expect(advances()).toBe(1);
  answer.reject(new Error('rejected'));
  await settle();
  await clock.advance(30_000);
  expect(advances()).toBe(2);
});

test('ends with its signal, and leaves no timer', async () => {
  const { clock, stop, advances } = run(async () => undefined);
  stop();
  expect(clock.pending).toBe(0);
  await clock.advance(300_000);
  expect(advances()).toBe(0);
});
