import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { findInexactNumber } from '../../../../operator/domain/jwt/inexact-number.ts';

const find = (json: string): string | undefined => findInexactNumber(JSON.parse(json));

test.each<[string, string]>([
  ['9007199254740993, which is read as 9007199254740992', '9007199254740993'],
  ['9007199254740992, which may have been another number', '9007199254740992'],
  ['-9007199254740993', '-9007199254740993'],
  ['a snowflake ID', '1745139012345678901'],
  ['an integer with an exponent', '1e21'],
  ['a number beyond every double', '1e400'],
  ['a negative one', '-1e400'],
  ['a fraction that loses its last digit before the point', '9007199254740993.5'],
])('%s is found', (_name, number) => {
  expect(find(`{"tenant": ${number}}`)).toBe('"tenant"');
});

test.each(['9007199254740991', '-9007199254740991', '0', '-0', '1.0', '0.1', '4503599627370497.5', '1E3'])(
  '%s is exact',
  (number) => {
    expect(find(`{"tenant": ${number}}`)).toBeUndefined();
  },
);

test.each<[string, string]>([
  ['{"a": {"ids": [1, 9007199254740993]}}', '"a.ids[1]"'],
  ['{"a": [[{"b c": 1e99}]]}', '"a[0][0].b c"'],
  ['{"a": "9007199254740993", "b": true, "c": null, "d": 9007199254740993}', '"d"'],
  [`{"${'n'.repeat(100)}": 9007199254740993}`, `"${'n'.repeat(63)}…"`],
  ['{"__proto__": {"x": 9007199254740993}}', '"__proto__.x"'],
])('in %s it is found at %s', (json, path) => {
  expect(find(json)).toBe(path);
});

test('an integer that is not found is signed with the digits that were written', () => {
  fc.assert(
    fc.property(fc.bigInt({ min: -(2n ** 70n), max: 2n ** 70n }), (integer) => {
      const claims = JSON.parse(`{"n": ${integer}}`);
      if (findInexactNumber(claims) === undefined) expect(JSON.stringify(claims)).toBe(`{"n":${integer}}`);
      else expect(Number.isSafeInteger(Number(integer))).toBe(false);
    }),
  );
});

test('a fraction that is not found has the value that was written', () => {
  fc.assert(
    fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (number) => {
      const claims = { n: number };
      if (findInexactNumber(claims) === undefined) {
        expect(JSON.parse(JSON.stringify(claims)).n).toBe(number === 0 ? 0 : number);
      }
    }),
  );
});
