import type { MonotonicClock } from '../../ports/clock.ts';

/** Handshakes that start within one period; each takes about a millisecond, most of it for a signature. */
const PER_PERIOD = 4;
const PERIOD_MS = 10;
/** Periods that a timer which is late makes up for. */
const MAX_PERIODS = 5;

/**
 * Starts TLS handshakes at a limited rate, so that a flood of them leaves the event loop to others: at once while there are few;
 * else one after the other, each group of addresses in its turn.
 */
export class HandshakeQueue {
  readonly #clock: MonotonicClock;
  readonly #waiting = new Map<string, Set<() => void>>();
  #left = PER_PERIOD;
  #isPeriodRunning = false;

  constructor(clock: MonotonicClock) {
    this.#clock = clock;
  }

  /** Calls `start`, now or later; the returned function cancels it. */
  add(group: string, start: () => void): () => void {
    if (this.#waiting.size === 0 && this.#left > 0) {
      this.#run(start);
      return () => undefined;
    }
    const starts = this.#waiting.get(group) ?? new Set();
    this.#waiting.set(group, starts.add(start));
    return () => this.#forget(group, start);
  }

  #run(start: () => void): void {
    this.#left -= 1;
    if (!this.#isPeriodRunning) {
      this.#isPeriodRunning = true;
      const begunAt = this.#clock.monotonic();
      this.#clock.after(PERIOD_MS, () => this.#nextPeriod(this.#clock.monotonic() - begunAt));
    }
    start();
  }

  #nextPeriod(elapsedMs: number): void {
    this.#isPeriodRunning = false;
    this.#left = PER_PERIOD * Math.min(MAX_PERIODS, Math.max(1, Math.round(elapsedMs / PERIOD_MS)));
    this.#startSome();
  }

  /** As many as start within a period; what a late timer makes up for beyond them starts in later turns of the event loop. */
  #startSome(): void {
    for (let started = 0; started < PER_PERIOD && this.#left > 0; started += 1) {
      const next = this.#next();
      if (!next) return;
      this.#run(next);
    }
    if (this.#left > 0) this.#clock.after(0, () => this.#startSome());
  }

  /** The oldest of the group whose turn it is; the group goes to the end. */
  #next(): (() => void) | undefined {
    for (const [group, starts] of this.#waiting) {
      for (const start of starts) {
        this.#waiting.delete(group);
        starts.delete(start);
        if (starts.size > 0) this.#waiting.set(group, starts);
        return start;
      }
    }
    return undefined;
  }

  #forget(group: string, start: () => void): void {
    const starts = this.#waiting.get(group);
    starts?.delete(start);
    if (starts?.size === 0) this.#waiting.delete(group);
  }
}
