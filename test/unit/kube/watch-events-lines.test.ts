import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { LineTooLong, readLines } from '../../../operator/kube/watch-events.ts';

async function* chunksOf(parts: readonly Uint8Array[]) {
  yield* parts;
}

const read = async (parts: readonly Uint8Array[], max = 1_000): Promise<string[]> => {
  const lines: string[] = [];
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

  test.each([
    ['in one chunk', [Buffer.from(`${'x'.repeat(11)}\n`)]],
    ['over many chunks, before its end has come', Array.from({ length: 11 }, () => Buffer.from('x'))],
  ])('beyond the bound are rejected: %s', async (_name, parts) => {
    await expect(read(parts, 10)).rejects.toThrow(LineTooLong);
  });
});
