import { sleep } from '../../async/sleep.ts';
import type { Clock } from '../../ports/clock.ts';

/** grpc.health.v1's words; the last one is Watch's alone. */
export type ServingStatus = 'SERVING' | 'NOT_SERVING' | 'SERVICE_UNKNOWN';

export interface HealthOptions {
  /** Services by their full names; '' is the server as a whole. */
  readonly services: readonly string[];
  /** Polled: whether calls can be answered now. */
  readonly isServing: () => boolean;
  readonly clock: Clock;
}

/** Whether the door serves, for those who ask and for those who wait to be told. */
export interface Health {
  readonly services: readonly string[];
  statusOf(service: string): ServingStatus;
  /** From its start until it is closed the door serves whenever `isServing` says so. */
  open(): void;
  /** NOT_SERVING from now on: tells all who watch, and ends their streams. */
  close(): void;
  /** What {@link Health.statusOf} says, and again whenever it changes. Ends when the door is closed or the signal aborts. */
  watch(service: string, signal: AbortSignal): AsyncGenerator<ServingStatus>;
}

/** A change is told within this time. */
const POLL_MS = 250;

/** The health of a door that is not open yet. Polling costs nothing while nobody watches. */
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
