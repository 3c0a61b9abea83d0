import { compareResourceVersions, isOlder } from '../api/meta.ts';
import { unlessAborted } from '../async/abort.ts';
import type { Clock } from '../ports/clock.ts';

interface Waiting {
  readonly resourceVersion: string;
  readonly resolve: () => void;
}

/** How far a watch has come: every event up to that resourceVersion is in the store. */
export class WatchProgress {
  #resourceVersion: string | undefined;
  readonly #waiting = new Set<Waiting>();

  /** The last one; undefined before the first whole list. */
  get resourceVersion(): string | undefined {
    return this.#resourceVersion;
  }

  /** Whether it has come further than `resourceVersion`, which therefore is of an earlier state. */
  isBeyond(resourceVersion: string): boolean {
    return this.#resourceVersion !== undefined && isOlder(resourceVersion, this.#resourceVersion);
  }

  /** Takes the resourceVersion of an event, a bookmark or a whole list. */
  advance(resourceVersion: string): void {
    this.#resourceVersion = resourceVersion;
    for (const waiting of this.#waiting) {
      if (!this.#hasReached(waiting.resourceVersion)) continue;
      this.#waiting.delete(waiting);
      waiting.resolve();
    }
  }

  /** Resolves once the watch has come to `resourceVersion`. Rejects with the signal's reason when it aborts. */
  async reached(resourceVersion: string, signal: AbortSignal): Promise<void> {
    if (this.#hasReached(resourceVersion)) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const waiting = { resourceVersion, resolve };
    this.#waiting.add(waiting);
    try {
      await unlessAborted(promise, signal);
    } finally {
      this.#waiting.delete(waiting);
    }
  }

  /** Versions that can't be compared, which no conformant API server sends, hold nobody up. */
  #hasReached(resourceVersion: string): boolean {
    if (this.#resourceVersion === undefined) return false;
    return (compareResourceVersions(this.#resourceVersion, resourceVersion) ?? 0) >= 0;
  }
}

/** Aborts its signal when nothing has touched it for `stallAfterMs`, or when its parent aborts. */
export class StallTimer {
  readonly #clock: Clock;
  readonly #stallAfterMs: number;
  readonly #parent: AbortSignal;
  readonly #abort = new AbortController();
  readonly #forward = (): void => this.#abort.abort(this.#parent.reason);
  #cancel: () => void = () => undefined;
  #touched: number;
  #stalled = false;

  constructor(clock: Clock, stallAfterMs: number, parent: AbortSignal) {
    this.#clock = clock;
    this.#stallAfterMs = stallAfterMs;
    this.#parent = parent;
    this.#touched = clock.now();
    parent.addEventListener('abort', this.#forward, { once: true });
    if (parent.aborted) this.#forward();
    this.#arm(stallAfterMs);
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  /** True where it was silence that aborted the signal. */
  get stalled(): boolean {
    return this.#stalled;
  }

  /** Something came. Cheap: the timer itself is left as it is. */
  touch(): void {
    this.#touched = this.#clock.now();
  }

  /** Ends the timer, and aborts whatever still hangs on the signal. */
  stop(): void {
    this.#cancel();
    this.#parent.removeEventListener('abort', this.#forward);
    this.#abort.abort();
  }

  #arm(ms: number): void {
    this.#cancel = this.#clock.after(ms, () => {
      const left = this.#touched + this.#stallAfterMs - this.#clock.now();
      if (left > 0) return this.#arm(left);
      this.#stalled = true;
      this.#abort.abort(new Error(`no event for ${this.#stallAfterMs} ms`));
    });
  }
}
