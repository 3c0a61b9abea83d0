import { expect, test } from '@jest/globals';
import { createLoopCheck } from '../../../operator/ops/health.ts';

test('a loop whose heartbeat is late is reported until it beats again', () => {
  let now = 0;
  let due: (() => void) | undefined;
  const check = createLoopCheck({
    now: () => now,
    after: (_ms, callback) => {
      due = callback;
      return () => {
        due = undefined;
      };
    },
  });
  now = 5_900;
  expect(check.problem()).toBeUndefined();
  now = 9_000;
  expect(check.problem()).toBe('was blocked for 8 s');
  due?.();
  expect(check.problem()).toBeUndefined();
  check.stop();
  expect(due).toBeUndefined();
});
