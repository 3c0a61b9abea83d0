import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { keyOf, refOf } from '../../../operator/api/meta.ts';

test('a key distinguishes namespace and name', () => {
  expect(keyOf({ namespace: 'a', name: 'b.c' })).toBe('a/b.c');
  const name = fc.stringMatching(/^[a-z0-9.-]+$/u);
  fc.assert(
    fc.property(name, name, (namespace, text) =>
      expect(refOf(keyOf({ namespace, name: text }))).toEqual({ namespace, name: text }),
    ),
  );
});
