import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { PageSize } from '../../../operator/kube/page-size.ts';

const MIB = 1024 * 1024;
const MAX_BYTES = 8 * MIB;

/** Lists objects of these sizes in pages of at most 500, as list-watch.ts does; the pages that were read, and the bytes of those that were cut off. */
const listAll = (sizes: readonly number[], pages = new PageSize()) => {
  const read: { items: number; bytes: number }[] = [];
  let cutOff = 0;
  for (let start = 0; start < sizes.length; ) {
    const asked = pages.next(500);
    const page = sizes.slice(start, start + asked.limit);
    const bytes = page.reduce((sum, size) => sum + size, 0);
    if (asked.maxBytes !== undefined && bytes > asked.maxBytes) {
      cutOff += 1;
      pages.exceeded(asked);
      continue;
    }
    pages.read({ limit: asked.limit, items: page.length, bytes });
    read.push({ items: page.length, bytes });
    start += page.length;
  }
  return { read, cutOff };
};
const repeat = (count: number, size: number): number[] => Array.from({ length: count }, () => size);

describe('the size of pages', () => {
  test('grows to the most that is asked for where objects are small', () => {
    const { read, cutOff } = listAll(repeat(100_000, 2_000));
    expect(read.slice(0, 4).map(({ items }) => items)).toEqual([50, 200, 500, 500]);
    expect(read).toHaveLength(202);
    expect(cutOff).toBe(0);
  });

  test('shrinks where objects are large, and grows again after them', () => {
    const { read, cutOff } = listAll([
      ...repeat(2_000, 2_000),
      ...repeat(1_500, 260_000),
      ...repeat(2_000, 2_000),
    ]);
    expect(Math.max(...read.map(({ bytes }) => bytes))).toBeLessThanOrEqual(MAX_BYTES);
    expect(cutOff).toBeLessThanOrEqual(4);
    // The last page has what is left.
    expect(read.at(-2)?.items).toBe(500);
  });

  test('is one object where that alone is larger than a page may be', () => {
    const { read } = listAll(repeat(3, 20 * MIB));
    expect(read.map(({ items }) => items)).toEqual([1, 1, 1]);
  });

  test('is never more than what is asked for, and never zero', () => {
    const pages = new PageSize();
    expect(pages.next(10).limit).toBe(10);
    expect(pages.next(0).limit).toBe(1);
    pages.read({ limit: 10, items: 10, bytes: 0 });
    expect(pages.next(500).limit).toBe(40);
    pages.read({ limit: 40, items: 0, bytes: 100 });
    expect(pages.next(500).limit).toBe(40);
  });

  test('bounds the bytes of every page of several objects, and every list ends after few pages too many', () => {
    const size = fc.oneof(fc.integer({ min: 200, max: 4_000 }), fc.integer({ min: 200_000, max: 2 * MIB }));
    fc.assert(
      fc.property(fc.array(fc.tuple(size, fc.integer({ min: 1, max: 400 })), { maxLength: 8 }), (runs) => {
        const { read, cutOff } = listAll(runs.flatMap(([bytes, count]) => repeat(count, bytes)));
        for (const page of read) expect(page.items === 1 || page.bytes <= MAX_BYTES).toBe(true);
        expect(cutOff).toBeLessThanOrEqual(5 * (runs.length + 1));
      }),
    );
  });
});
