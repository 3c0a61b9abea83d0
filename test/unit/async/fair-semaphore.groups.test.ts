import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { RecentGroups } from '../../../operator/async/fair-semaphore.ts';

test('a group has others exactly if another one was seen less than a second ago', () => {
  const step = fc.record({
    group: fc.constantFrom('a', 'b', 'c'),
    waitMs: fc.constantFrom(0, 300, 999, 1000),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const groups = new RecentGroups();
      const seenAt = new Map<string, number>();
      let now = 0;
      for (const { group, waitMs } of steps) {
        now += waitMs;
        for (const asked of ['a', 'b', 'c', 'd']) {
          const expected = [...seenAt].some(([other, at]) => other !== asked && now - at < 1000);
          expect(groups.hasOthers(asked, now)).toBe(expected);
        }
        groups.seen(group, now);
        seenAt.set(group, now);
      }
    }),
  );
});
