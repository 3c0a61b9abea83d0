import { expect, test } from '@jest/globals';
import { memoizeFrozen } from '../../../operator/async/bounded-map.ts';

/** Returns the value, and how often it was computed. */
const counting = () => {
  let calls = 0;
  return memoizeFrozen(({ id }: { id: number }) => {
    calls += 1;
    return `${id} by call ${calls}`;
  });
};

test('what was made of a frozen object is made once', () => {
  const compute = counting();
  const source = Object.freeze({ id: 1 });
  expect([compute(source), compute(source)]).toEqual(['1 by call 1', '1 by call 1']);
});

test('an equal object is another key', () => {
  const compute = counting();
  expect([compute(Object.freeze({ id: 1 })), compute(Object.freeze({ id: 1 }))]).toEqual([
    '1 by call 1',
    '1 by call 2',
  ]);
});

test('what may change is made anew each time', () => {
  const compute = counting();
  const source = { id: 1 };
  compute(source);
  source.id = 2;
  expect(compute(source)).toBe('2 by call 2');
});

test('the first of too many is forgotten, and made again', () => {
  const compute = counting();
  const sources = Array.from({ length: 8193 }, (_, id) => Object.freeze({ id }));
  for (const source of sources) compute(source);
  const [first, last] = [sources[0], sources.at(-1)].map((source) => source && compute(source));
  expect(last).toBe('8192 by call 8193');
  expect(first).toBe('0 by call 8194');
});
