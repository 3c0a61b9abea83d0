import type { Clock } from '../../ports/clock.ts';
import type { KeySink } from '../../runtime/bulk-queue.ts';
import { DelayedKeys } from '../../runtime/queued-keys.ts';

export interface RecordScheduleOptions {
  readonly queue: KeySink;
  readonly clock: Clock;
  /** False while the clock of the replica is not usable (spec §3). */
  readonly isClockUsable: () => boolean;
}

/** Keys that go into the queue before others get their turn: thousands of tokens may expire in the same second. */
const PIECE = 500;
/** A clock that was set forward makes keys due that the timer does not know of. */
const LONGEST_SLEEP_MS = 3_600_000;
const ASK_CLOCK_AGAIN_MS = 15_000;

/**
 * Records that wait for their time, under one timer. Unlike the delayed keys of a work queue they can be forgotten, so that
 * records which go long before they expire leave nothing behind, and they become due a piece at a time.
 */
export class RecordSchedule {
  readonly #options: RecordScheduleOptions;
  readonly #waiting = new DelayedKeys();
  #cancelTimer: (() => void) | undefined;
  #timerDue = Number.POSITIVE_INFINITY;

  constructor(options: RecordScheduleOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#waiting.size;
  }

  /** The key goes into the queue at that time, in milliseconds since the Unix epoch, or at an earlier one that it waits for already. */
  add(key: string, at: number): void {
    this.#waiting.add(key, at);
    this.#arm();
  }

  delete(key: string): void {
    this.#waiting.delete(key);
  }

  /** Forgets everything. */
  stop(): void {
    this.#waiting.clear();
    this.#cancelTimer?.();
    this.#timerDue = Number.POSITIVE_INFINITY;
  }

  #arm(): void {
    const next = this.#waiting.next;
    if (next !== undefined && next < this.#timerDue) this.#sleep(next - this.#options.clock.now(), next);
  }

  #sleep(ms: number, timerDue: number): void {
    this.#cancelTimer?.();
    this.#timerDue = timerDue;
    const sleep = Math.min(Math.max(0, ms), LONGEST_SLEEP_MS);
    this.#cancelTimer = this.#options.clock.after(sleep, () => this.#fire());
  }

  #fire(): void {
    const { clock, isClockUsable, queue } = this.#options;
    if (!isClockUsable()) {
      // Nothing is earlier than that: what is added meanwhile waits too.
      this.#sleep(ASK_CLOCK_AGAIN_MS, Number.NEGATIVE_INFINITY);
      return;
    }
    this.#timerDue = Number.POSITIVE_INFINITY;
    const now = clock.now();
    for (let left = PIECE; left > 0; left--) {
      const due = this.#waiting.takeDue(now);
      if (due === undefined) break;
      queue.add(due.key, 'low');
    }
    this.#arm();
  }
}
