import { describe, expect, test } from '@jest/globals';
import { WatchProgress } from '../../../operator/runtime/watch-progress.ts';
import { settle } from '../../support/fake-clock.ts';

const never = new AbortController().signal;

const waitFor = (progress: WatchProgress, resourceVersion: string, signal = never) => {
  const outcome: { reached?: boolean; failure?: unknown } = {};
  progress.reached(resourceVersion, signal).then(
    () => {
      outcome.reached = true;
    },
    (error: unknown) => {
      outcome.failure = error;
    },
  );
  return outcome;
};

describe('whoever waits for a resourceVersion', () => {
  test.each<[string, readonly string[], boolean]>([
    ['waits before the first event', [], false],
    ['waits while the watch is behind', ['8', '9'], false],
    ['goes on at that event', ['9', '10'], true],
    ['goes on at a later bookmark', ['11'], true],
    ['compares numbers of any length', ['9', '100000000000000000000000'], true],
    ['is not held up by versions that can not be compared', ['v1'], true],
  ])('%s', async (_name, versions, isReached) => {
    for (const isEarly of [true, false]) {
      const progress = new WatchProgress();
      if (!isEarly) for (const version of versions) progress.advance(version);
      const outcome = waitFor(progress, '10');
      await settle();
      if (isEarly) for (const version of versions) progress.advance(version);
      await settle();
      expect(outcome).toEqual(isReached ? { reached: true } : {});
    }
  });

  test('is one of many, each with its own', async () => {
    const progress = new WatchProgress();
    const outcomes = ['1', '3', '2'].map((version) => waitFor(progress, version));
    progress.advance('2');
    await settle();
    expect(outcomes).toEqual([{ reached: true }, {}, { reached: true }]);
  });

  test('ends with its signal', async () => {
    const progress = new WatchProgress();
    const ending = new AbortController();
    const outcome = waitFor(progress, '1', ending.signal);
    ending.abort(new Error('enough'));
    await settle();
    expect(outcome).toEqual({ failure: new Error('enough') });
    progress.advance('1');
    await settle();
    expect(outcome).toEqual({ failure: new Error('enough') });
  });
});
