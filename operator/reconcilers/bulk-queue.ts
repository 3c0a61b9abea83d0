import type { Clock } from '../ports/clock.ts';

/** The part of a work queue that triggers use. */
export interface KeySink {
  add(key: string, priority?: 'high' | 'normal' | 'low'): void;
}

/** Keys that go in before others get their turn. */
const CHUNK = 500;

/** Puts many keys into a queue at low priority, a piece a turn of the event loop, so that nothing else waits for it. */
export class BulkQueue {
  readonly #queue: KeySink;
  readonly #clock: Clock;
  readonly #waiting = new Set<string>();
  #cancel: (() => void) | undefined;

  constructor(queue: KeySink, clock: Clock) {
    this.#queue = queue;
    this.#clock = clock;
  }

  /** Takes the keys now; the first piece goes in at once. */
  add(keys: Iterable<string>): void {
    for (const key of keys) this.#waiting.add(key);
    if (this.#cancel === undefined) this.#pour();
  }

  /** Forgets what waits. */
  stop(): void {
    this.#cancel?.();
    this.#waiting.clear();
  }

  #pour(): void {
    this.#cancel = undefined;
    let left = CHUNK;
    for (const key of this.#waiting) {
      if (left === 0) break;
      left -= 1;
      this.#waiting.delete(key);
      this.#queue.add(key, 'low');
    }
    if (this.#waiting.size > 0) this.#cancel = this.#clock.after(0, () => this.#pour());
  }
}
