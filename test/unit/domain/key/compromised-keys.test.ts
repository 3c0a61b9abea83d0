import { describe, expect, test } from '@jest/globals';
import {
  addCompromised,
  areSameKeys,
  type CompromisedKeys,
  MAX_REMEMBERED,
  readCompromisedKeys,
  writeCompromisedKeys,
} from '../../../../operator/domain/key/compromised-keys.ts';

const kidOf = (count: number): string => String(count).padStart(43, 'A');
const NONE: CompromisedKeys = { kids: new Set(), hasOverflowed: false };
const full = addCompromised(
  NONE,
  Array.from({ length: MAX_REMEMBERED }, (_, count) => kidOf(count)),
);

describe('compromised keys', () => {
  test('are read as they were written, in one order, and leave other data alone', () => {
    const data = writeCompromisedKeys(addCompromised(NONE, [kidOf(2), kidOf(1)]), { note: 'x' });
    expect(data).toEqual({ note: 'x', 'kids.json': JSON.stringify([kidOf(1), kidOf(2)]) });
    expect(readCompromisedKeys(data)).toEqual({ kids: new Set([kidOf(1), kidOf(2)]), hasOverflowed: false });
  });

  test.each([
    ['no data', undefined],
    ['no JSON', { 'kids.json': '{' }],
    ['no list', { 'kids.json': '{}' }],
    [
      'what is no thumbprint',
      { 'kids.json': JSON.stringify([1, 'short', `${kidOf(1)}A`, '<script>'.repeat(6)]) },
    ],
  ])('are none in %s', (_name, data) => {
    expect(readCompromisedKeys(data)).toEqual(NONE);
  });

  test('beyond the bound leave those that are known, and say so for ever', () => {
    expect(full).toMatchObject({ hasOverflowed: false, kids: { size: MAX_REMEMBERED } });
    const over = addCompromised(full, [kidOf(MAX_REMEMBERED), kidOf(0)]);
    expect(over).toEqual({ kids: full.kids, hasOverflowed: true });
    const data = writeCompromisedKeys(over);
    expect(Buffer.byteLength(JSON.stringify(data))).toBeLessThan(1024 * 1024);
    expect(readCompromisedKeys(data)).toEqual(over);
    expect(addCompromised(readCompromisedKeys(data), [])).toEqual(over);
  });

  test('are the same if they name the same kids', () => {
    expect(
      areSameKeys(addCompromised(NONE, [kidOf(1), kidOf(2)]), addCompromised(NONE, [kidOf(2), kidOf(1)])),
    ).toBe(true);
    expect(areSameKeys(NONE, addCompromised(NONE, [kidOf(1)]))).toBe(false);
    expect(areSameKeys(full, { ...full, hasOverflowed: true })).toBe(false);
  });
});
