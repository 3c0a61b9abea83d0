import type { Clock } from '../ports/clock.ts';

/** A rate: so many at once, then so many a second. */
export class TokenBucket {
  readonly #clock: Clock;
  readonly #perSecond: number;
  readonly #burst: number;
  #tokens: number;
  #filledAt: number;
  #open = false;
  #wake: (() => void) | undefined;

  constructor(options: { readonly clock: Clock; readonly perSecond: number; readonly burst: number }) {
    this.#clock = options.clock;
    this.#perSecond = options.perSecond;
    this.#burst = options.burst;
    this.#tokens = options.burst;
    this.#filledAt = options.clock.now();
  }

  /** Resolves when the next one may go, or `signal` aborts. One caller at a time. */
  async take(signal: AbortSignal): Promise<void> {
    this.#fill();
    if (this.#tokens < 1 && !this.#open) {
      await this.pause(((1 - this.#tokens) / this.#perSecond) * 1000, signal);
      this.#fill();
    }
    this.#tokens = Math.max(0, this.#tokens - 1);
  }

  /** Lets everything through from now on. */
  open(): void {
    this.#open = true;
    this.#wake?.();
  }

  /** Resolves after `ms`, when `signal` aborts, or at {@link TokenBucket.open}. */
  pause(ms: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      if (signal.aborted || this.#open) return resolve();
      const end = (): void => {
        cancel();
        signal.removeEventListener('abort', end);
        this.#wake = undefined;
        resolve();
      };
      const cancel = this.#clock.after(ms, end);
      this.#wake = end;
      signal.addEventListener('abort', end, { once: true });
    });
  }

  #fill(): void {
    const now = this.#clock.now();
    const earned = (Math.max(0, now - this.#filledAt) / 1000) * this.#perSecond;
    this.#tokens = Math.min(this.#burst, this.#tokens + earned);
    this.#filledAt = now;
  }
}
