import type { Clock } from '../ports/clock.ts';

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
