import type { Clock } from '../../ports/clock.ts';

/** Serving statuses of grpc.health.v1; only Watch reports `SERVICE_UNKNOWN`. */
export type ServingStatus = 'SERVING' | 'NOT_SERVING' | 'SERVICE_UNKNOWN';

export interface HealthOptions {
  /** Full names of the services; '' is the server as a whole. */
  readonly services: readonly string[];
  /** Polled: whether this replica can answer calls now. */
  readonly isServing: () => boolean;
  readonly clock: Clock;
}

/** The serving status of the server, for Check and Watch. */
export interface Health {
  readonly services: readonly string[];
  statusOf(service: string): ServingStatus;
  /** From now on the status follows `isServing`. */
  open(): void;
  /** Reports NOT_SERVING from now on: sends it to every watcher and ends their streams. */
  close(): void;
  /** Yields {@link Health.statusOf} now and whenever it changes. Ends on {@link Health.close} or when the signal aborts. */
  watch(service: string, signal: AbortSignal): AsyncGenerator<ServingStatus>;
}

/** The longest delay of a change for watchers. */
const POLL_MS = 250;

/** Polls one value for all callers that wait for a change of it, and only while there are any: each costs no timer and no work. */
class PolledValue<T> {
  readonly #read: () => T;
  readonly #clock: Clock;
  readonly #waiting = new Set<() => void>();
  #cancelPoll: (() => void) | undefined;
  #last: T;

  constructor(read: () => T, clock: Clock) {
    this.#read = read;
    this.#clock = clock;
    this.#last = read();
  }

  /** Reads the value; where it has changed, all who wait continue. */
  look(): T {
    const next = this.#read();
    if (next === this.#last) return next;
    this.#last = next;
    for (const resume of this.#waiting) resume();
    return next;
  }

  /** Resolves when {@link PolledValue.look} finds, or has found, another value than `seen`, or the signal aborts. */
  changedFrom(seen: T, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      if (this.#last !== seen || signal.aborted) return resolve();
      const resume = (): void => {
        signal.removeEventListener('abort', resume);
        this.#waiting.delete(resume);
        if (this.#waiting.size === 0) this.#stopPolling();
        resolve();
      };
      this.#waiting.add(resume);
      this.#cancelPoll ??= this.#poll();
      signal.addEventListener('abort', resume, { once: true });
    });
  }

  #poll(): () => void {
    return this.#clock.after(POLL_MS, () => {
      this.#cancelPoll = this.#poll();
      this.look();
    });
  }

  #stopPolling(): void {
    this.#cancelPoll?.();
    this.#cancelPoll = undefined;
  }
}

/** Makes {@link Health}, NOT_SERVING until {@link Health.open}. One timer polls for all watchers, and only while there are any. */
export const createHealth = ({ services, isServing, clock }: HealthOptions): Health => {
  const known = new Set(services);
  let state: 'starting' | 'open' | 'closed' = 'starting';
  const current = (): ServingStatus => (state === 'open' && isServing() ? 'SERVING' : 'NOT_SERVING');
  const statusFor = (service: string, status: ServingStatus): ServingStatus =>
    known.has(service) ? status : 'SERVICE_UNKNOWN';
  // The end is a change as well: watchers wait for it.
  const polled = new PolledValue(() => (state === 'closed' ? 'CLOSED' : current()), clock);
  return {
    services,
    statusOf: (service) => statusFor(service, current()),
    open: () => {
      state = 'open';
      polled.look();
    },
    close: () => {
      state = 'closed';
      polled.look();
    },
    async *watch(service, signal) {
      let last: ServingStatus | undefined;
      for (;;) {
        const found = polled.look();
        const next = statusFor(service, found === 'CLOSED' ? 'NOT_SERVING' : found);
        if (next !== last) yield next;
        last = next;
        if (found === 'CLOSED' || signal.aborted) return;
        await polled.changedFrom(found, signal);
      }
    },
  };
};
