import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { durationMs, parseDurationMs } from '../../../operator/api/time.ts';

const HOUR = 3_600_000;

describe('a duration', () => {
  test.each<readonly [string, number]>([
    ['0s', 0],
    ['1ms', 1],
    ['90s', 90_000],
    ['1h30m', 1.5 * HOUR],
    ['1.5h', 1.5 * HOUR],
    ['30m1h', 1.5 * HOUR],
    ['1m1m', 120_000],
    ['1s500ms', 1500],
    ['250us', 0.25],
    ['250µs', 0.25],
    ['1000000ns', 1],
    ['2160h', 2160 * HOUR],
    ['876000h', 876_000 * HOUR],
  ])('%s is %d ms', (text, ms) => {
    expect(parseDurationMs(text)).toBe(ms);
    expect(durationMs(text)).toBe(ms);
  });

  test.each([
    '',
    '1',
    '0',
    's',
    '1d',
    '-1h',
    '+1h',
    '1 h',
    ' 1h',
    '1h ',
    '1h\n',
    '1H',
    '1,5h',
    '.5h',
    '1.h',
    '1e3s',
    '1h1h',
    'PT1H',
    '876001h',
    '876000h1ms',
    '9999999h',
  ])('%j is none', (text) => {
    expect(parseDurationMs(text)).toBeUndefined();
    expect(() => durationMs(text)).toThrow(RangeError);
  });

  test('is the sum of its parts, as Go writes them', () => {
    const parts = fc.record({ h: fc.nat(100_000), m: fc.nat(59), s: fc.nat(59), ms: fc.nat(999) });
    fc.assert(
      fc.property(parts, ({ h, m, s, ms }) => {
        expect(durationMs(`${h}h${m}m${s}s${ms}ms`)).toBe(((h * 60 + m) * 60 + s) * 1000 + ms);
      }),
    );
  });

  test('is never negative, infinite or no number, whatever the text', () => {
    const text = fc.string({ unit: fc.constantFrom(...'0123456789.hmsunµ- '), maxLength: 64 });
    fc.assert(
      fc.property(text, (any) => {
        const ms = parseDurationMs(any);
        expect(ms === undefined || (ms >= 0 && ms <= 876_000 * HOUR)).toBe(true);
      }),
      { numRuns: 2000 },
    );
  });
});
