import { sleep } from '../../async/sleep.ts';
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

/** Makes {@link Health}, NOT_SERVING until {@link Health.open}. It polls only while there are watchers. */
export const createHealth = ({ services, isServing, clock }: HealthOptions): Health => {
  const known = new Set(services);
  let state: 'starting' | 'open' | 'closed' = 'starting';
  const closing = new AbortController();
  const current = (): ServingStatus => (state === 'open' && isServing() ? 'SERVING' : 'NOT_SERVING');
  const statusOf = (service: string): ServingStatus => (known.has(service) ? current() : 'SERVICE_UNKNOWN');
  return {
    services,
    statusOf,
    open: () => {
      state = 'open';
    },
    close: () => {
      state = 'closed';
      closing.abort();
    },
    async *watch(service, signal) {
      let last: ServingStatus | undefined;
      for (;;) {
        const next = statusOf(service);
        if (next !== last) yield next;
        last = next;
        if (signal.aborted || closing.signal.aborted) return;
        await sleep(clock, POLL_MS, signal, closing.signal);
      }
    },
  };
};
