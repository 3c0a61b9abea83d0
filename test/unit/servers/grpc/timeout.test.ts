import { expect, test } from '@jest/globals';
import { hasTimedOut, servedTimeout } from '../../../../operator/servers/grpc/timeout.ts';

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

test.each([
  ['99999999H'],
  ['99999999M'],
  ['99999999S'],
  ['2592000S'],
  ['2147484S'],
  ['597H'],
  ['123456789S'],
  ['9999999999H'],
  ['99999999 H'],
])('%s is longer than a timer of Node, and is served as the longest one', (header) => {
  expect(servedTimeout(header)).toBe('2147483S');
});

test.each<[unknown]>([
  ['596H'],
  ['2147483S'],
  ['99999999m'],
  ['99999999u'],
  ['1n'],
  [''],
  ['1s'],
  ['-1S'],
  [undefined],
  [['1S', '2S']],
])('%j is served as it is', (header) => {
  expect(servedTimeout(header)).toBe(header);
});
