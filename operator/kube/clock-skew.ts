import type { Clock } from '../ports/clock.ts';
import type { Log } from '../ports/log.ts';
import type { Metrics } from '../ports/metrics.ts';

const SAMPLE_MS = 1_000;
const WARN_EVERY_MS = 60_000;
/** Spec §3: beyond this a metric and a warning. */
const WARN_SECONDS = 30;

/** How far this clock is from the API server's, by the `Date` of its answers (whole seconds), sampled at most once a second. */
export class ClockSkew {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #metrics: Pick<Metrics, 'clockSkew'>;
  #sampledAt = Number.NEGATIVE_INFINITY;
  #warnedAt = Number.NEGATIVE_INFINITY;
  #seconds = 0;

  constructor(options: {
    readonly clock: Clock;
    readonly log: Log;
    readonly metrics: Pick<Metrics, 'clockSkew'>;
  }) {
    this.#clock = options.clock;
    this.#log = options.log;
    this.#metrics = options.metrics;
  }

  /** Seconds that this clock is ahead of the API server (negative: behind); 0 before the first answer. */
  get seconds(): number {
    return this.#seconds;
  }

  /** Takes the `Date` header of an answer to a request sent at `sentAt` (epoch milliseconds). */
  sample(date: string | undefined, sentAt: number): void {
    const now = this.#clock.now();
    if (date === undefined || Math.abs(now - this.#sampledAt) < SAMPLE_MS) return;
    const server = Date.parse(date);
    if (Number.isNaN(server)) return;
    this.#sampledAt = now;
    // The header is floored to the second, and was written somewhere between sending and now.
    const seconds = ((sentAt + now) / 2 - (server + 500)) / 1000;
    this.#seconds = Math.abs(seconds) <= 0.5 + (now - sentAt) / 2000 ? 0 : seconds;
    this.#metrics.clockSkew(this.#seconds);
    if (Math.abs(seconds) <= WARN_SECONDS || Math.abs(now - this.#warnedAt) < WARN_EVERY_MS) return;
    this.#warnedAt = now;
    this.#log.warn('this clock differs from the API server’s', { aheadSeconds: Math.round(seconds) });
  }
}
