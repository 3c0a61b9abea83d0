import { setImmediate as nextIteration } from 'node:timers/promises';
import type { KubeObject } from '../api/meta.ts';
import type { WatchEvent } from '../ports/watch.ts';
import { type CallName, statusFailure, transportFailure } from './api-failure.ts';

/** etcd stores objects of up to 1.5 MiB; their JSON may be several times that size. */
const MAX_LINE_BYTES = 16 * 1024 * 1024;
/** How long a burst of events may block the event loop. */
const MAX_BURST_MS = 10;

export interface WatchEventsOptions<T> {
  /** Named in error messages. */
  readonly call: CallName;
  readonly decode: (object: KubeObject) => T;
  readonly signal: AbortSignal;
}

/**
 * The events of a watch's body, in batches as they arrive.
 * @throws ApiError with the Status of an `ERROR` event, or with status 0 if the connection breaks
 */
export async function* readWatchEvents<T>(
  body: AsyncIterable<Uint8Array>,
  { call, decode, signal }: WatchEventsOptions<T>,
): AsyncGenerator<readonly WatchEvent<T>[], void, undefined> {
  let resumedAt = performance.now();
  try {
    for await (const lines of readLines(body, MAX_LINE_BYTES)) {
      let batch: WatchEvent<T>[] = [];
      for (const line of lines) {
        batch.push(eventOf(line, call, decode));
        if (performance.now() - resumedAt < MAX_BURST_MS) continue;
        yield batch;
        batch = [];
        await nextIteration();
        resumedAt = performance.now();
      }
      if (batch.length > 0) yield batch;
    }
  } catch (error) {
    throw transportFailure(call, error, signal);
  }
}

interface RawEvent {
  readonly type?: unknown;
  readonly object?: KubeObject;
}

const INITIAL_EVENTS_END = 'k8s.io/initial-events-end';

const eventOf = <T>(line: string, call: CallName, decode: (object: KubeObject) => T): WatchEvent<T> => {
  const { type, object } = JSON.parse(line) as RawEvent;
  if (type === 'ERROR' || !object?.metadata) {
    const code = (object as { readonly code?: unknown } | undefined)?.code;
    throw statusFailure(call, { status: typeof code === 'number' ? code : 500, body: object });
  }
  const { resourceVersion, annotations } = object.metadata;
  switch (type) {
    case 'BOOKMARK':
      return { type, resourceVersion, initialEventsEnd: annotations?.[INITIAL_EVENTS_END] === 'true' };
    case 'ADDED':
    case 'MODIFIED':
    case 'DELETED':
      return { type, resourceVersion, object: decode(object) };
    default:
      throw new TypeError('a watch event of an unknown type');
  }
};

/** A line exceeds the limit. No object is that large, so the response is not a watch. */
export class LineTooLong extends Error {
  override readonly name = 'LineTooLong';
}

const NEWLINE = 0x0a;

/**
 * Splits a stream of bytes at newlines. Each batch has the lines that a chunk completes, at least one; an unfinished last line is
 * yielded at the end. Takes time linear in the bytes, whatever the size of the chunks.
 * @throws LineTooLong if a line has more than `maxLineBytes`
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
