import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { BoundedMap } from '../../../operator/async/bounded-map.ts';

test('a new entry beyond the limit evicts the one that was set longest ago', () => {
  const map = new BoundedMap<string, number>(2);
  map.set('a', 1);
  map.set('b', 2);
  map.get('a');
  map.set('c', 3);
  expect([...map.keys()]).toEqual(['b', 'c']);
});

test('setting an entry again makes it the newest', () => {
  const map = new BoundedMap<string, number>(2);
  map.set('a', 1);
  map.set('b', 2);
  map.set('a', 3);
  map.set('c', 4);
  expect([map.get('a'), map.has('b'), map.get('c')]).toEqual([3, false, 4]);
});

type Step =
  | { readonly do: 'set'; readonly key: number; readonly value: number }
  | { readonly do: 'get' | 'delete'; readonly key: number }
  | { readonly do: 'clear' };

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constant('set' as const), key: fc.nat(12), value: fc.nat() }) },
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constantFrom('get' as const, 'delete' as const), key: fc.nat(12) }),
  },
  { weight: 1, arbitrary: fc.constant({ do: 'clear' as const }) },
);

test('it behaves as a list of pairs that is cut to the limit', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 8 }), fc.array(step, { maxLength: 100 }), (limit, steps) => {
      const map = new BoundedMap<number, number>(limit);
      let model: (readonly [number, number])[] = [];
      const without = (key: number) => model.filter(([other]) => other !== key);
      for (const next of steps) {
        if (next.do === 'set') {
          map.set(next.key, next.value);
          model = [...without(next.key), [next.key, next.value] as const].slice(-limit);
        } else if (next.do === 'delete') {
          map.delete(next.key);
          model = without(next.key);
        } else if (next.do === 'clear') {
          map.clear();
          model = [];
        } else expect(map.get(next.key)).toBe(model.find(([key]) => key === next.key)?.[1]);
        expect([...map.keys()]).toEqual(model.map(([key]) => key));
        expect(map.size).toBe(model.length);
      }
    }),
  );
});

/** MiB of the heap that are in use, without garbage. */
const usedMiB = (): number => {
  setFlagsFromString('--expose-gc');
  runInNewContext('gc')();
  return process.memoryUsage().heapUsed / 2 ** 20;
};

test.each<[string, (map: BoundedMap<number, number>) => void]>([
  ['deleted', (map) => map.delete(100)],
  ['replaced', (map) => map.set(100, 2)],
])('entries that were %s take no memory, though none was evicted since', (_, remove) => {
  const map = new BoundedMap<number, number>(100);
  for (let key = 0; key <= 100; key += 1) map.set(key, 0);
  map.delete(50);
  const before = usedMiB();
  for (let round = 0; round < 500_000; round += 1) {
    map.set(100, 1);
    remove(map);
  }
  expect(usedMiB() - before).toBeLessThan(10);
  expect(map.size).toBeLessThan(100);
});
