import type { Clock } from '../ports/clock.ts';

/** A queue that accepts keys. */
export interface KeySink {
  add(key: string, priority?: 'high' | 'normal' | 'low'): void;
}

interface Walk {
  readonly keys: Iterator<string>;
  /** To be walked afterwards. */
  next: Iterable<string> | undefined;
}

/** The default number of keys that are added in one iteration of the event loop. */
const CHUNK_SIZE = 500;

/** Adds many keys to a queue at low priority, a chunk per iteration of the event loop, so that it stays responsive. */
export class BulkQueue {
  readonly #queue: KeySink;
  readonly #clock: Clock;
  readonly #chunkSize: number;
  /** By source, in order of arrival. */
  readonly #walks = new Map<string | symbol, Walk>();
  #cancel: (() => void) | undefined;

  /** `chunkSize`: the number of keys per iteration of the event loop; fewer if adding a key is expensive. */
  constructor(queue: KeySink, clock: Clock, chunkSize = CHUNK_SIZE) {
    this.#queue = queue;
    this.#clock = clock;
    this.#chunkSize = chunkSize;
  }

  /**
   * Adds `keys`, which are iterated as they are needed; the first chunk at once. If keys of the same `source` are still being added,
   * the latest ones follow afterwards, and those in between are skipped.
   */
  add(keys: Iterable<string>, source: string | symbol = Symbol('once')): void {
    const known = this.#walks.get(source);
    if (known) known.next = keys;
    else this.#walks.set(source, { keys: keys[Symbol.iterator](), next: undefined });
    if (this.#cancel === undefined) this.#addChunk();
  }

  /** Drops the keys that are not added yet. */
  stop(): void {
    this.#cancel?.();
    this.#walks.clear();
  }

  #addChunk(): void {
    this.#cancel = undefined;
    let left = this.#chunkSize;
    for (const [source, { keys, next }] of this.#walks) {
      left = this.#addUpTo(keys, left);
      if (left === 0) break;
      this.#walks.delete(source);
      // Last in line, so that a source that keeps changing does not delay the others.
      if (next) this.#walks.set(source, { keys: next[Symbol.iterator](), next: undefined });
    }
    if (this.#walks.size > 0) this.#cancel = this.#clock.after(0, () => this.#addChunk());
  }

  /** Adds up to `limit` keys. Returns how many fewer there were; 0 if there may be more. */
  #addUpTo(keys: Iterator<string>, limit: number): number {
    for (let left = limit; left > 0; left--) {
      const next = keys.next();
      if (next.done) return left;
      this.#queue.add(next.value, 'low');
    }
    return 0;
  }
}
