import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { KeyedLimit } from '../../../operator/async/keyed-limit.ts';

test('a key takes no more than its share, and what it gives back can be taken again', () => {
  const limit = new KeyedLimit({ total: 10, perKey: 2 });
  expect([limit.take('a'), limit.take('a'), limit.take('a'), limit.take('b')]).toEqual([
    undefined,
    undefined,
    'perKey',
    undefined,
  ]);
  limit.release('a');
  expect(limit.take('a')).toBeUndefined();
});

test('all keys together take no more than the total', () => {
  const limit = new KeyedLimit({ total: 2, perKey: 2 });
  expect([limit.take('a'), limit.take('b'), limit.take('c')]).toEqual([undefined, undefined, 'total']);
});

test('without a key only the total counts', () => {
  const limit = new KeyedLimit({ total: 3, perKey: 1 });
  expect([1, 2, 3, 4].map(() => limit.take(undefined))).toEqual([undefined, undefined, undefined, 'total']);
});

test('whatever is taken and released, the counts are those of what is in use', () => {
  const step = fc.record({ key: fc.constantFrom('a', 'b', undefined), release: fc.boolean() });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const limit = new KeyedLimit({ total: 5, perKey: 3 });
      const held: (string | undefined)[] = [];
      for (const { key, release } of steps) {
        if (!release) {
          if (limit.take(key) === undefined) held.push(key);
        } else if (held.includes(key)) {
          held.splice(held.indexOf(key), 1);
          limit.release(key);
        }
        expect(limit.size).toBe(held.length);
        expect(held.length).toBeLessThanOrEqual(5);
        for (const each of ['a', 'b']) {
          const count = held.filter((other) => other === each).length;
          expect(limit.countOf(each)).toBe(count);
          expect(count).toBeLessThanOrEqual(3);
        }
      }
    }),
  );
});
