import type { Clock } from '../ports/clock.ts';

export interface WatchCacheAdvanceOptions {
  readonly clock: Clock;
  /** The time without an event before a request, and the least time between two requests. */
  readonly silentMs: number;
  /** When an event or bookmark last came, in epoch milliseconds. */
  readonly lastProgress: () => number;
  /** One runs at a time. A failure is ignored: the watch itself reports what is wrong. */
  readonly advanceWatchCache: () => Promise<void>;
  readonly signal: AbortSignal;
}

/** Requests progress whenever the watch has been silent, until `signal` aborts (etcd's term: progress notification). */
export const advanceWatchCacheWhenSilent = ({
  clock,
  silentMs,
  lastProgress,
  advanceWatchCache,
  signal,
}: WatchCacheAdvanceOptions): void => {
  let cancel = (): void => undefined;
  const arm = (ms: number): void => {
    if (!signal.aborted) cancel = clock.after(ms, look);
  };
  const look = (): void => {
    const left = lastProgress() + silentMs - clock.now();
    const again = (): void => arm(silentMs);
    if (left > 0) arm(left);
    else advanceWatchCache().then(again, again);
  };
  signal.addEventListener('abort', () => cancel(), { once: true });
  arm(silentMs);
};
