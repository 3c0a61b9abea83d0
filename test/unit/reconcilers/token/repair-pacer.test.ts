import { expect, test } from '@jest/globals';
import { RepairPacer } from '../../../../operator/reconcilers/token/repair-pacer.ts';

test('three repairs go at once, then one in twenty seconds, each key for itself', () => {
  const pacer = new RepairPacer();
  expect([1, 2, 3].map(() => pacer.take('a', 1_000_000))).toEqual([0, 0, 0]);
  expect(pacer.take('a', 1_000_000)).toBe(20_000);
  expect(pacer.take('b', 1_000_000)).toBe(0);
  expect(pacer.take('a', 1_019_000)).toBe(1_000);
  expect(pacer.take('a', 1_020_000)).toBe(0);
  expect(pacer.take('a', 1_020_000)).toBe(20_000);
});

test('a clock that goes back makes nobody wait for longer than one pace', () => {
  const pacer = new RepairPacer();
  for (let n = 0; n < 3; n += 1) pacer.take('a', 1_000_000_000);
  expect(pacer.take('a', 0)).toBe(20_000);
});
