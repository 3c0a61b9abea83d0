import { setImmediate as nextIteration } from 'node:timers/promises';
import type { KubeObject } from '../api/meta.ts';
import type { WatchEvent } from '../ports/watch.ts';
import { type CallName, statusFailure, transportFailure } from './api-failure.ts';

/** etcd stores objects of up to 1.5 MiB; their JSON may be several times that size. An event beyond this is left out, so that one object does not stop the watch of all. */
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
        batch.push(line === TOO_LONG ? { type: 'TOO_LARGE' } : eventOf(line, call, decode));
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

/** Stands for a line that exceeds the limit. */
export const TOO_LONG = Symbol('a line that is too long');

const NEWLINE = 0x0a;

/** The beginning of a line whose end has not come yet, of at most `maxBytes`; a longer one is counted and not kept. */
class PendingLine {
  readonly #maxBytes: number;
  #parts: Uint8Array[] = [];
  #bytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  add(part: Uint8Array): void {
    this.#bytes += part.length;
    if (this.#bytes > this.#maxBytes) this.#parts = [];
    else if (part.length > 0) this.#parts.push(part);
  }

  /** The line, and the next one begins; '' if it is empty. */
  take(): string | typeof TOO_LONG {
    const line = this.#bytes > this.#maxBytes ? TOO_LONG : textOf(this.#parts);
    this.#parts = [];
    this.#bytes = 0;
    return line;
  }
}

/**
 * Splits a stream of bytes at newlines. Each batch has the lines that a chunk completes, at least one; an unfinished last line is
 * yielded at the end, and {@link TOO_LONG} in place of one of more than `maxLineBytes`, which is not held in memory. Takes time
 * linear in the bytes, whatever the size of the chunks.
 */
export async function* readLines(
  chunks: AsyncIterable<Uint8Array>,
  maxLineBytes: number,
): AsyncGenerator<readonly (string | typeof TOO_LONG)[], void, undefined> {
  const pending = new PendingLine(maxLineBytes);
  for await (const chunk of chunks) {
    const lines: (string | typeof TOO_LONG)[] = [];
    let start = 0;
    for (let end = chunk.indexOf(NEWLINE); end !== -1; end = chunk.indexOf(NEWLINE, start)) {
      pending.add(chunk.subarray(start, end));
      const line = pending.take();
      if (line !== '') lines.push(line);
      start = end + 1;
    }
    pending.add(chunk.subarray(start));
    if (lines.length > 0) yield lines;
  }
  const last = pending.take();
  if (last !== '') yield [last];
}

const textOf = (parts: readonly Uint8Array[]): string => {
  const [only] = parts;
  const bytes =
    parts.length === 1 && only
      ? Buffer.from(only.buffer, only.byteOffset, only.byteLength)
      : Buffer.concat(parts);
  return bytes.toString('utf8');
};
