import { setImmediate as turn } from 'node:timers/promises';
import type { MonotonicClock } from '../../operator/ports/clock.ts';

interface Timer {
  readonly due: number;
  readonly order: number;
  readonly callback: () => void;
}

/** A clock that stands still until the test moves it; `2026-01-01T00:00:00Z` unless given. */
export class FakeClock implements MonotonicClock {
  readonly #timers = new Set<Timer>();
  readonly #start: number;
  #now: number;
  #wallOffset = 0;
  #order = 0;

  constructor(start = Date.UTC(2026, 0, 1)) {
    this.#start = start;
    this.#now = start;
  }

  now(): number {
    return this.#now + this.#wallOffset;
  }

  monotonic(): number {
    return this.#now - this.#start;
  }

  after(ms: number, callback: () => void): () => void {
    const timer = { due: this.#now + Math.max(0, ms), order: this.#order++, callback };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  }

  /** Timers that wait. */
  get pending(): number {
    return this.#timers.size;
  }

  /** Milliseconds until the next timer is due, or undefined where none waits. */
  get untilNext(): number | undefined {
    const next = this.#next();
    return next && next.due - this.#now;
  }

  /** Moves on by `ms`: each timer that falls due runs at its own time, and what it set going gets its turn before the next. */
  async advance(ms: number): Promise<void> {
    const end = this.#now + ms;
    await settle();
    for (let next = this.#next(); next && next.due <= end; next = this.#next()) {
      this.#now = Math.max(this.#now, next.due);
      this.#timers.delete(next);
      next.callback();
      await settle();
    }
    this.#now = end;
  }

  /** Moves on without giving timers their turn, as an event loop that hangs does. */
  freeze(ms: number): void {
    this.#now += ms;
  }

  /** Sets the wall clock, as an NTP step does; timers and monotonic time don't notice. */
  step(ms: number): void {
    this.#wallOffset += ms;
  }

  #next(): Timer | undefined {
    let first: Timer | undefined;
    for (const timer of this.#timers) {
      if (!first || timer.due < first.due || (timer.due === first.due && timer.order < first.order))
        first = timer;
    }
    return first;
  }
}

/** Lets everything that is ready to run do so: promise chains, and I/O that has come in. */
export const settle = async (): Promise<void> => {
  for (let round = 0; round < 3; round++) await turn();
};
