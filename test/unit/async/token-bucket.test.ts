import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { TokenBucket } from '../../../operator/async/token-bucket.ts';

test('a burst passes, then one for each refill', () => {
  const bucket = new TokenBucket({ burst: 2, refillMs: 100 });
  expect([0, 0, 0, 40, 100, 100, 1000, 1000, 1000].map((now) => bucket.take(now))).toEqual([
    0, 0, 100, 60, 0, 100, 0, 0, 100,
  ]);
});

test('looking takes nothing', () => {
  const bucket = new TokenBucket({ burst: 1, refillMs: 100 });
  expect([bucket.waitMs(0), bucket.waitMs(0), bucket.take(0), bucket.waitMs(30)]).toEqual([0, 0, 0, 70]);
});

test('what is given back may be taken again', () => {
  const bucket = new TokenBucket({ burst: 1, refillMs: 100 });
  expect(bucket.take(0)).toBe(0);
  bucket.giveBack();
  expect([bucket.take(0), bucket.take(0)]).toEqual([0, 100]);
});

test.each<[string, number, number, number[]]>([
  ['a smaller burst keeps what fits', 2, 0, [0, 0, 200]],
  ['a larger burst adds nothing', 8, 2, [0, 0, 200, 200]],
  ['an empty bucket stays empty', 8, 4, [200, 200]],
])('resized, %s', (_name, burst, taken, expected) => {
  const bucket = new TokenBucket({ burst: 4, refillMs: 100 });
  for (let at = 0; at < taken; at += 1) expect(bucket.take(0)).toBe(0);
  bucket.resize({ burst, refillMs: 200 }, 0);
  expect(expected.map(() => bucket.take(0))).toEqual(expected);
});

test('a clock that is set back costs one refill, and gives nothing', () => {
  const bucket = new TokenBucket({ burst: 2, refillMs: 100 });
  for (const now of [1_000_000, 1_000_000]) bucket.take(now);
  expect([bucket.take(0), bucket.take(99), bucket.take(100), bucket.take(100)]).toEqual([100, 1, 0, 100]);
});

test('in any stretch of time no more pass than the burst and what was refilled, and the wait is exact', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 5 }),
      fc.integer({ min: 1, max: 50 }),
      fc.array(fc.nat(60), { maxLength: 60 }),
      (burst, refillMs, gaps) => {
        const bucket = new TokenBucket({ burst, refillMs });
        const taken: number[] = [];
        let now = 0;
        for (const gap of gaps) {
          now += gap;
          const waitMs = bucket.take(now);
          if (waitMs === 0) taken.push(now);
          else {
            expect(bucket.waitMs(now + waitMs - 1)).toBe(1);
            now += waitMs;
            expect(bucket.take(now)).toBe(0);
            taken.push(now);
          }
        }
        for (const [at, from] of taken.entries()) {
          for (const [count, to] of taken.slice(at).entries()) {
            expect(count + 1).toBeLessThanOrEqual(burst + Math.floor((to - from) / refillMs));
          }
        }
      },
    ),
  );
});
