import type { Clock } from '../ports/clock.ts';

/** The part of a work queue that triggers use. */
export interface KeySink {
  add(key: string, priority?: 'high' | 'normal' | 'low'): void;
}

interface Walk {
  readonly keys: Iterator<string>;
  /** To be walked when this is at its end. */
  next: Iterable<string> | undefined;
}

/** Keys that go in before others get their turn; for a sink that does more with each than to queue it, fewer. */
const PIECE = 500;

/** Puts many keys into a queue at low priority, a piece a turn of the event loop, so that nothing else waits for it. */
export class BulkQueue {
  readonly #queue: KeySink;
  readonly #clock: Clock;
  readonly #piece: number;
  /** By source, in the order of their arrival. */
  readonly #walks = new Map<string | symbol, Walk>();
  #cancel: (() => void) | undefined;

  /** `piece` is how many keys go in before others get their turn. */
  constructor(queue: KeySink, clock: Clock, piece = PIECE) {
    this.#queue = queue;
    this.#clock = clock;
    this.#piece = piece;
  }

  /**
   * Walks `keys` from turn to turn, as they are by then; the first piece goes in at once. A `source` that is being
   * walked already is walked once more afterwards, however often it came meanwhile.
   */
  add(keys: Iterable<string>, source: string | symbol = Symbol('once')): void {
    const known = this.#walks.get(source);
    if (known) known.next = keys;
    else this.#walks.set(source, { keys: keys[Symbol.iterator](), next: undefined });
    if (this.#cancel === undefined) this.#pour();
  }

  /** Forgets what waits. */
  stop(): void {
    this.#cancel?.();
    this.#walks.clear();
  }

  #pour(): void {
    this.#cancel = undefined;
    let left = this.#piece;
    for (const [source, { keys, next }] of this.#walks) {
      left = this.#take(keys, left);
      if (left === 0) break;
      this.#walks.delete(source);
      // At the end of the line: a source that keeps changing does not hold the others up.
      if (next) this.#walks.set(source, { keys: next[Symbol.iterator](), next: undefined });
    }
    if (this.#walks.size > 0) this.#cancel = this.#clock.after(0, () => this.#pour());
  }

  /** How many of `most` are left when the keys are at their end; 0 where they may not be. */
  #take(keys: Iterator<string>, most: number): number {
    for (let left = most; left > 0; left--) {
      const next = keys.next();
      if (next.done) return left;
      this.#queue.add(next.value, 'low');
    }
    return 0;
  }
}
