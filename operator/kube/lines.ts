/** A line grew beyond the bound: no object is that large, so what comes is no watch. */
export class LineTooLong extends Error {
  override readonly name = 'LineTooLong';
}

const NEWLINE = 0x0a;

/**
 * Cuts a stream of bytes at newlines. Each batch holds the lines that a chunk completed (never none); an unfinished
 * last line is given out at the end. Linear in the bytes, however they are cut.
 * @throws LineTooLong where a line has more than `maxLineBytes`.
 */
export async function* readLines(
  chunks: AsyncIterable<Uint8Array>,
  maxLineBytes: number,
): AsyncGenerator<readonly string[], void, undefined> {
  let pending: Uint8Array[] = [];
  let pendingBytes = 0;
  for await (const chunk of chunks) {
    const lines: string[] = [];
    let start = 0;
    for (let end = chunk.indexOf(NEWLINE); end !== -1; end = chunk.indexOf(NEWLINE, start)) {
      if (pendingBytes + end - start > maxLineBytes) throw tooLong(maxLineBytes);
      const line = textOf([...pending, chunk.subarray(start, end)]);
      if (line !== '') lines.push(line);
      pending = [];
      pendingBytes = 0;
      start = end + 1;
    }
    if (start < chunk.length) {
      pending.push(chunk.subarray(start));
      pendingBytes += chunk.length - start;
    }
    if (pendingBytes > maxLineBytes) throw tooLong(maxLineBytes);
    if (lines.length > 0) yield lines;
  }
  if (pendingBytes > 0) yield [textOf(pending)];
}

const tooLong = (maxLineBytes: number): LineTooLong =>
  new LineTooLong(`a line of a watch has more than ${maxLineBytes} bytes`);

const textOf = (parts: readonly Uint8Array[]): string => {
  const [only] = parts;
  const bytes =
    parts.length === 1 && only
      ? Buffer.from(only.buffer, only.byteOffset, only.byteLength)
      : Buffer.concat(parts);
  return bytes.toString('utf8');
};
