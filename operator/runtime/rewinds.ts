import { type BackoffBounds, equalJitterMs } from '../async/backoff.ts';
import { Emitter } from '../async/emitter.ts';
import type { Log } from '../ports/log.ts';

/** Where the API server was found at an earlier state than before. */
interface Rewind {
  /** What was read: the plural of a resource type. */
  readonly resource: string;
  readonly knownVersion: string;
  readonly foundVersion: string;
}

/**
 * Notifies everyone who keeps objects that the API server is at an earlier state than before, as after a restore of etcd from a backup:
 * what one watch finds holds for all. A watch at a later resourceVersion is accepted, and silent (kubernetes/kubernetes#107457).
 */
export class Rewinds {
  readonly #log: Log;
  readonly #emitter: Emitter<Rewind>;

  constructor(log: Log) {
    this.#log = log;
    this.#emitter = new Emitter((error) => log.error('a handler of rewinds threw', { error }));
  }

  /** Returns the function that unsubscribes. */
  on(handler: () => void): () => void {
    return this.#emitter.on(handler);
  }

  found(rewind: Rewind): void {
    this.#log.warn('the API server is at an earlier state than before: everything is listed again', {
      ...rewind,
    });
    this.#emitter.emit(rewind);
  }
}

/** The first wait is 1 to 2 s, and none is longer than 30 s. */
const REWIND_BACKOFF: BackoffBounds = { baseMs: 2_000, capMs: 30_000 };
/** A rewind is the first of a row if the last was so long ago. Longer than any wait. */
const REWINDS_APART_MS = 60_000;

/**
 * How long one who lists everything again after a rewind waits before. The first of a row does not: it is a restore. More of them come
 * where API servers with different etcds answer by turns, whom the lists of all replicas would overload.
 */
export class RewindBackoff {
  #inRow = 0;
  #lastAt = Number.NEGATIVE_INFINITY;

  /** Milliseconds to wait after a rewind at `now`, in epoch milliseconds. `random` gives [0, 1). */
  next(now: number, random: () => number): number {
    if (now - this.#lastAt > REWINDS_APART_MS) this.#inRow = 0;
    this.#lastAt = now;
    const before = this.#inRow++;
    return before === 0 ? 0 : equalJitterMs(before - 1, REWIND_BACKOFF, random);
  }
}
