import type { Clock } from '../ports/clock.ts';

/** Resolves after `ms`, or as soon as `signal` aborts; never rejects. True where the time has passed. */
export const waitFor = (clock: Clock, ms: number, signal: AbortSignal): Promise<boolean> =>
  new Promise((resolve) => {
    if (signal.aborted) return resolve(false);
    const end = (passed: boolean): void => {
      cancel();
      signal.removeEventListener('abort', abort);
      resolve(passed);
    };
    const abort = (): void => end(false);
    const cancel = clock.after(ms, () => end(true));
    signal.addEventListener('abort', abort, { once: true });
  });

/** Resolves true when `promise` settles, false when `ms` have passed before; what it settles to is left to others. */
export const settlesWithin = (clock: Clock, ms: number, promise: Promise<unknown>): Promise<boolean> =>
  new Promise((resolve) => {
    const cancel = clock.after(ms, () => resolve(false));
    const settled = (): void => {
      cancel();
      resolve(true);
    };
    promise.then(settled, settled);
  });
