import type { Clock } from '../ports/clock.ts';

/**
 * Settles as `work` does, unless `signal` aborts first: then it rejects with `abortError()`, the signal's reason unless given.
 * The work itself goes on for whoever shares it.
 */
export const unlessAborted = <T>(
  work: Promise<T>,
  signal: AbortSignal,
  abortError: () => unknown = () => signal.reason,
): Promise<T> =>
  new Promise((resolve, reject) => {
    const abort = (): void => reject(abortError());
    if (signal.aborted) abort();
    else signal.addEventListener('abort', abort, { once: true });
    const end = (): void => signal.removeEventListener('abort', abort);
    work.then(
      (value) => {
        end();
        resolve(value);
      },
      (error: unknown) => {
        end();
        reject(error);
      },
    );
  });

/** Resolves when `signal` aborts; never rejects. */
export const whenAborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });

/** A bound on time, in milliseconds, and a signal that may end the work before it. */
export interface Deadline {
  readonly clock: Clock;
  readonly ms: number;
  readonly signal?: AbortSignal | undefined;
}

/** Runs `work` with a signal that aborts at the deadline, or with the one given. @throws what `work` throws */
export const withDeadline = async <T>(
  { clock, ms, signal }: Deadline,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> => {
  const deadline = new AbortController();
  const cancel = clock.after(ms, () => deadline.abort(new Error(`no answer in ${ms} ms`)));
  try {
    return await work(signal ? AbortSignal.any([signal, deadline.signal]) : deadline.signal);
  } finally {
    cancel();
  }
};

/** Resolves true when `promise` settles, false when `ms` have passed before; its value or error is left to its owner. */
export const settlesWithin = (clock: Clock, ms: number, promise: Promise<unknown>): Promise<boolean> =>
  new Promise((resolve) => {
    const cancel = clock.after(ms, () => resolve(false));
    const settled = (): void => {
      cancel();
      resolve(true);
    };
    promise.then(settled, settled);
  });
