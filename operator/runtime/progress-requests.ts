import type { Clock } from '../ports/clock.ts';

export interface ProgressRequestOptions {
  readonly clock: Clock;
  /** So long nothing has come before a nudge, and so long lies between two of them at least. */
  readonly silentMs: number;
  /** When something last came, in epoch milliseconds. */
  readonly lastProgress: () => number;
  /** One is under way at a time; one that fails says nothing: the stream itself tells what is wrong. */
  readonly requestProgress: () => Promise<void>;
  readonly signal: AbortSignal;
}

/** Nudges whenever nothing has come for a while, until `signal` aborts. */
export const requestProgressWhenSilent = ({
  clock,
  silentMs,
  lastProgress,
  requestProgress,
  signal,
}: ProgressRequestOptions): void => {
  let cancel = (): void => undefined;
  const arm = (ms: number): void => {
    if (!signal.aborted) cancel = clock.after(ms, look);
  };
  const look = (): void => {
    const left = lastProgress() + silentMs - clock.now();
    const again = (): void => arm(silentMs);
    if (left > 0) arm(left);
    else requestProgress().then(again, again);
  };
  signal.addEventListener('abort', () => cancel(), { once: true });
  arm(silentMs);
};
