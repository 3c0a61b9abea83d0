import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { readLines, TOO_LONG } from '../../../operator/kube/watch-events.ts';

async function* chunksOf(parts: readonly Uint8Array[]) {
  yield* parts;
}

const read = async (parts: readonly Uint8Array[], max = 1_000) => {
  const lines: (string | typeof TOO_LONG)[] = [];
  for await (const batch of readLines(chunksOf(parts), max)) lines.push(...batch);
  return lines;
};

const cut = (bytes: Uint8Array, at: readonly number[]): Uint8Array[] => {
  const places = [...new Set(at.map((n) => n % (bytes.length + 1)))].sort((a, b) => a - b);
  return [0, ...places].map((start, index) => bytes.subarray(start, places[index] ?? bytes.length));
};

describe('lines of a stream', () => {
  test('come out whole however the bytes are cut, inside a character too', async () => {
    const line = fc
      .string({ unit: 'binary', minLength: 1 })
      .filter((text) => !text.includes('\n') && text.isWellFormed());
    await fc.assert(
      fc.asyncProperty(fc.array(line), fc.array(fc.nat()), async (lines, places) => {
        const bytes = Buffer.from(lines.map((text) => `${text}\n`).join(''));
        expect(await read(cut(bytes, places), 100_000)).toEqual(lines);
      }),
    );
  });

  test('leave out empty ones, and give the last one without its newline', async () => {
    expect(await read([Buffer.from('a\n\n\nb')])).toEqual(['a', 'b']);
  });

  const bytes = (text: string): Buffer[] => [...text].map((character) => Buffer.from(character));
  const long = 'x'.repeat(11);

  test.each<[string, Buffer[], (string | typeof TOO_LONG)[]]>([
    ['in one chunk', [Buffer.from(`a\n${long}\nb\n`)], ['a', TOO_LONG, 'b']],
    ['over many chunks', bytes(`a\n${long}\nb\n`), ['a', TOO_LONG, 'b']],
    ['at the end', bytes(`a\n${long}`), ['a', TOO_LONG]],
    ['twice', bytes(`${long}\n${long}${long}\nb`), [TOO_LONG, TOO_LONG, 'b']],
    ['by nothing: as long as the bound', bytes(`${long.slice(1)}\nb`), [long.slice(1), 'b']],
  ])('beyond the bound are left out, and the others come: %s', async (_name, parts, lines) => {
    expect(await read(parts, 10)).toEqual(lines);
  });
});
