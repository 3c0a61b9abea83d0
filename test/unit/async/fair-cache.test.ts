import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { FairCache } from '../../../operator/async/fair-cache.ts';

/** A cache, and the keys whose values were made, in order. */
const cacheOf = (entries: number, uses = 1000) => {
  const made: string[] = [];
  const cache = new FairCache<string>({ entries, uses });
  const use = (group: string, key: string): string =>
    cache.use(group, key, () => {
      made.push(key);
      return `value of ${key}`;
    });
  /** Whether a value is made for a key now. */
  const isMade = (group: string, key: string): boolean => {
    const before = made.length;
    use(group, key);
    return made.length > before;
  };
  return { use, isMade, made };
};

describe('a cache of groups', () => {
  test('makes each value once, whoever uses it', () => {
    const { use, made } = cacheOf(2);
    expect([use('a', 'x'), use('b', 'x'), use('a', 'x')]).toEqual(Array(3).fill('value of x'));
    expect(made).toEqual(['x']);
  });

  test('leaves all of it to a group that is alone, and drops what that used least recently', () => {
    const { use, isMade } = cacheOf(3);
    for (const key of ['x', 'y', 'z', 'x', 'new']) use('a', key);
    expect([isMade('a', 'x'), isMade('a', 'z'), isMade('a', 'y')]).toEqual([false, false, true]);
  });

  test('keeps what others use, however many a group causes', () => {
    const { use, isMade } = cacheOf(10);
    use('quiet', 'x');
    use('other', 'y');
    for (let at = 0; at < 100; at++) use('flood', `made-up ${at}`);
    expect([isMade('quiet', 'x'), isMade('other', 'y')]).toEqual([false, false]);
  });

  test('keeps what a group uses that another one used and has lost', () => {
    const { use, isMade } = cacheOf(4);
    use('flood', 'shared');
    use('quiet', 'shared');
    for (let at = 0; at < 10; at++) use('flood', `made-up ${at}`);
    expect(isMade('quiet', 'shared')).toBe(false);
  });

  test('takes from the least recent of groups that use the same number', () => {
    const { use, isMade } = cacheOf(2);
    for (const [group, key] of [
      ['a', 'x'],
      ['b', 'y'],
      ['a', 'x'],
      ['c', 'z'],
    ] as const)
      use(group, key);
    expect([isMade('a', 'x'), isMade('c', 'z'), isMade('b', 'y')]).toEqual([false, false, true]);
  });

  test('holds no more than its limits, of entries and of uses, and always what was used last', () => {
    const step = fc.tuple(fc.constantFrom('a', 'b', 'c'), fc.integer({ min: 0, max: 12 }).map(String));
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
        const { use, isMade, made } = cacheOf(4, 6);
        for (const [group, key] of steps) {
          use(group, key);
          expect(isMade(group, key)).toBe(false);
        }
        const keys = [...new Set(made)];
        // Each is asked for once, so that what this makes does not count.
        const known = new Set(keys.filter((key) => !isMade('z', key)));
        expect(known.size).toBeLessThanOrEqual(4);
      }),
    );
  });
});
