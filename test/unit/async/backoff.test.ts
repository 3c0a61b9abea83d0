import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { backoffCeilingMs, equalJitterMs, fullJitterMs } from '../../../operator/async/backoff.ts';

const bounds = { baseMs: 50, capMs: 300_000 };
const attempt = fc.nat({ max: 10_000 });
const random = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });

test('the ceiling doubles from the base and ends at the cap', () => {
  expect([0, 1, 2, 12, 13, 5_000].map((n) => backoffCeilingMs(n, bounds))).toEqual([
    50, 100, 200, 204_800, 300_000, 300_000,
  ]);
});

test('full jitter is anywhere between nothing and the ceiling', () => {
  fc.assert(
    fc.property(attempt, random, (n, r) => {
      const ms = fullJitterMs(n, bounds, () => r);
      expect(ms).toBeGreaterThanOrEqual(0);
      expect(ms).toBeLessThanOrEqual(backoffCeilingMs(n, bounds));
    }),
  );
});

test('equal jitter never comes back at once', () => {
  fc.assert(
    fc.property(attempt, random, (n, r) => {
      const ms = equalJitterMs(n, bounds, () => r);
      expect(ms).toBeGreaterThanOrEqual(backoffCeilingMs(n, bounds) / 2);
      expect(ms).toBeLessThanOrEqual(backoffCeilingMs(n, bounds));
    }),
  );
});
