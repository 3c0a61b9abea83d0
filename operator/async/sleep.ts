import type { Clock } from '../ports/clock.ts';

/** Resolves after `ms`, or as soon as one of the signals aborts; never rejects. True where the time has passed. */
export const sleep = (clock: Clock, ms: number, ...signals: readonly AbortSignal[]): Promise<boolean> =>
  new Promise((resolve) => {
    if (signals.some(({ aborted }) => aborted)) return resolve(false);
    const end = (passed: boolean): void => {
      cancel();
      for (const signal of signals) signal.removeEventListener('abort', abort);
      resolve(passed);
    };
    const abort = (): void => end(false);
    const cancel = clock.after(ms, () => end(true));
    for (const signal of signals) signal.addEventListener('abort', abort, { once: true });
  });
