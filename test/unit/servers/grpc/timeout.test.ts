import { expect, test } from '@jest/globals';
import { hasTimedOut } from '../../../../operator/servers/grpc/timeout.ts';

test.each<[string, number]>([
  ['2H', 6_480_000],
  ['3M', 162_000],
  ['10S', 9000],
  ['99999999m', 89_999_999.1],
  ['5000000u', 4500],
  ['99999999n', 900],
  ['1n', 900],
])('a call with a timeout of %s has timed out after %d ms, and not before', (header, ms) => {
  expect([hasTimedOut(header, ms + 0.1), hasTimedOut(header, ms - 0.1)]).toEqual([true, false]);
});

test.each<[unknown]>([[''], ['1'], ['1s'], ['-1S'], ['123456789S'], ['1S '], [undefined], [['1S', '2S']]])(
  '%j is no timeout',
  (header) => {
    expect(hasTimedOut(header, 1e12)).toBe(false);
  },
);
