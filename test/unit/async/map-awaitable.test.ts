import { expect, test } from '@jest/globals';
import { mapAwaitable } from '../../../operator/async/map-awaitable.ts';

test('what is known is gone on with at once', () => {
  expect(mapAwaitable(1, (value) => value + 1)).toBe(2);
});

test('what is to come is gone on with when it is there', async () => {
  const next = mapAwaitable(Promise.resolve(1), (value) => value + 1);
  expect(next).toBeInstanceOf(Promise);
  expect(await next).toBe(2);
});

const fail = (): never => {
  throw new Error('no');
};

test('a failure is thrown at once or rejects, as its value comes', async () => {
  expect(() => mapAwaitable(1, fail)).toThrow('no');
  await expect(mapAwaitable(Promise.resolve(1), fail)).rejects.toThrow('no');
});
