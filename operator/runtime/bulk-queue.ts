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
/** How many sources have a turn in one iteration, at least, if there are as many. */
const TURNS = 10;

/** Adds many keys to a queue at low priority, a chunk per iteration of the event loop, so that it stays responsive. Sources take turns. */
export class BulkQueue {
  readonly #queue: KeySink;
  readonly #clock: Clock;
  readonly #chunkSize: number;
  /** By source, in the order of their turns. */
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
    const turn = Math.ceil(this.#chunkSize / TURNS);
    let left = this.#chunkSize;
    for (const [source, walk] of this.#walks) {
      // Last in line, so that one with many keys, or that keeps changing, does not delay the others.
      this.#walks.delete(source);
      const most = Math.min(turn, left);
      const missing = this.#addUpTo(walk.keys, most);
      left -= most - missing;
      if (missing === 0) this.#walks.set(source, walk);
      else if (walk.next) this.#walks.set(source, { keys: walk.next[Symbol.iterator](), next: undefined });
      if (left === 0) break;
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
