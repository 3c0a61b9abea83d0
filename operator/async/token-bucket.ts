/** So many at once (at least 1; a fraction counts), then one more every `refillMs` milliseconds. */
export interface Rate {
  readonly burst: number;
  readonly refillMs: number;
}

/**
 * A token bucket, kept as one number (the generic cell rate algorithm): when it is full again. Times are milliseconds of the
 * caller's clock; one that is set back costs a caller one refill at most.
 */
export class TokenBucket {
  #rate: Rate;
  #fullAt = Number.NEGATIVE_INFINITY;

  /** Full. */
  constructor(rate: Rate) {
    this.#rate = rate;
  }

  /** Milliseconds until one may be taken; 0 where it may be taken now. */
  waitMs(now: number): number {
    const { burst, refillMs } = this.#rate;
    this.#fullAt = Math.min(Math.max(this.#fullAt, now), now + burst * refillMs);
    return Math.max(0, this.#fullAt - now - (burst - 1) * refillMs);
  }

  /** Takes one, and returns 0; where there is none, takes nothing and returns the milliseconds until there is. */
  take(now: number): number {
    const waitMs = this.waitMs(now);
    if (waitMs === 0) this.#fullAt += this.#rate.refillMs;
    return waitMs;
  }

  /** Puts one back that was taken. */
  giveBack(): void {
    this.#fullAt -= this.#rate.refillMs;
  }

  /** Goes on with another rate. What the bucket holds stays, up to the new burst. */
  resize(rate: Rate, now: number): void {
    const missing = Math.max(0, this.#fullAt - now) / this.#rate.refillMs;
    const held = Math.min(Math.max(0, this.#rate.burst - missing), rate.burst);
    this.#rate = rate;
    this.#fullAt = now + (rate.burst - held) * rate.refillMs;
  }
}
