import { expect, test } from '@jest/globals';
import { sharedList, sharedText } from '../../../operator/domain/held-metadata.ts';

test('equal lists are one, frozen, and the list that was given stays as it is', () => {
  const given = ['a', 'b'];
  const shared = sharedList(given);
  expect(shared).toEqual(given);
  expect(sharedList(['a', 'b'])).toBe(shared);
  expect(Object.isFrozen(shared)).toBe(true);
  expect(Object.isFrozen(given)).toBe(false);
});

test.each([
  [['a', 'b'], ['a,b']],
  [
    ['a', 'b'],
    ['b', 'a'],
  ],
  [[], ['']],
])('%j and %j are not', (one, other) => {
  expect(sharedList(one)).not.toBe(sharedList(other));
  expect(sharedList(one)).toEqual(one);
  expect(sharedList(other)).toEqual(other);
});

test('any number of texts comes out as it went in', () => {
  for (let at = 0; at < 20_000; at += 1) expect(sharedText(`text-${at}`)).toBe(`text-${at}`);
});
