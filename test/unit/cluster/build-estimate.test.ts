import { describe, expect, test } from '@jest/globals';
import { binarySets, binarySources } from '../../cluster/binary-sources.ts';
import {
  describeBuild,
  estimateCpuSeconds,
  formatSeconds,
  remainingSeconds,
} from '../../cluster/build-estimate.ts';

describe('estimateCpuSeconds', () => {
  test('counts once what two programs share', () => {
    const apart = estimateCpuSeconds(['kubectl']) + estimateCpuSeconds(['helm']);
    expect(estimateCpuSeconds(['kubectl', 'helm'])).toBeLessThan(apart);
  });

  test('leaves out what was compiled for a program that is built', () => {
    const after = estimateCpuSeconds(['helm'], ['kube-apiserver', 'kubectl']);
    expect(after).toBeLessThan(estimateCpuSeconds(['helm'], ['etcd']));
    expect(estimateCpuSeconds(['helm'], ['etcd'])).toBeLessThan(estimateCpuSeconds(['helm']));
  });

  test('is nothing for nothing, and grows with each program', () => {
    const names = Object.keys(binarySources) as (keyof typeof binarySources)[];
    const sums = names.map((_, count) => estimateCpuSeconds(names.slice(0, count)));
    expect(sums[0]).toBe(0);
    expect(new Set(sums).size).toBe(names.length);
    expect(sums.toSorted((a, b) => a - b)).toEqual(sums);
  });

  test('of `make run` is most of the one of `make test`', () => {
    expect(estimateCpuSeconds(binarySets.run) / estimateCpuSeconds(binarySets.test)).toBeGreaterThan(0.6);
  });
});

describe('remainingSeconds', () => {
  test.each([
    ['by what is known beforehand at first', { compiled: 0, total: undefined, expectedSeconds: 100 }, 40, 60],
    ['by the pace at the end', { compiled: 90, total: 100, expectedSeconds: 300 }, 180, 30],
    ['by both in the middle', { compiled: 50, total: 100, expectedSeconds: 100 }, 100, 50],
    ['not, once the estimate is used up', { compiled: 0, total: 100, expectedSeconds: 100 }, 101, undefined],
    ['not, once all is compiled', { compiled: 120, total: 100, expectedSeconds: 100 }, 90, undefined],
  ] as const)('estimates %s', (_, state, elapsed, expected) => {
    const remaining = remainingSeconds(state, elapsed);
    expect(remaining === undefined ? undefined : Math.round(remaining)).toBe(expected);
  });
});

describe('describeBuild', () => {
  const describeAfter = (seconds: number, expectedSeconds: number): string => {
    let now = 5_000;
    const text = describeBuild(
      () => ({ compiled: 0, total: undefined, expectedSeconds }),
      () => now,
    );
    now += seconds * 1000;
    return text();
  };

  test.each([
    [190, 310, '3m10s, about 2 min left'],
    [5, 29, '0m05s, about 20 s left'],
    [60, 61, '1m00s, about 10 s left'],
    [70, 61, '1m10s, not long now'],
  ] as const)('after %p s of %p: %p', (elapsed, expected, text) => {
    expect(describeAfter(elapsed, expected)).toBe(text);
  });
});

test.each([
  [0, '0m00s'],
  [59.6, '1m00s'],
  [187, '3m07s'],
] as const)('%p s are %p', (seconds, text) => {
  expect(formatSeconds(seconds)).toBe(text);
});
