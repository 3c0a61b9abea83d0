import { setImmediate as turnOfTheLoop } from 'node:timers/promises';
import type { KubeObject } from '../api/meta.ts';
import type { WatchEvent } from '../ports/watch.ts';
import { type CallName, statusFailure, transportFailure } from './api-failure.ts';
import { readLines } from './lines.ts';

/** etcd holds objects up to 1.5 MiB; their JSON may be several times that. */
const MAX_LINE_BYTES = 16 * 1024 * 1024;
/** So long one burst may keep the event loop before others get their turn. */
const MAX_BURST_MS = 10;

export interface WatchEventsOptions<T> {
  /** For the messages of errors. */
  readonly call: CallName;
  readonly decode: (object: KubeObject) => T;
  readonly signal: AbortSignal;
}

/**
 * The events of a watch's body, in batches as they arrive.
 * @throws ApiError with the Status of an `ERROR` event, or with status 0 where the connection breaks.
 */
export async function* readWatchEvents<T>(
  body: AsyncIterable<Uint8Array>,
  { call, decode, signal }: WatchEventsOptions<T>,
): AsyncGenerator<readonly WatchEvent<T>[], void, undefined> {
  let turnAt = performance.now();
  try {
    for await (const lines of readLines(body, MAX_LINE_BYTES)) {
      let batch: WatchEvent<T>[] = [];
      for (const line of lines) {
        batch.push(eventOf(line, call, decode));
        if (performance.now() - turnAt < MAX_BURST_MS) continue;
        yield batch;
        batch = [];
        await turnOfTheLoop();
        turnAt = performance.now();
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
