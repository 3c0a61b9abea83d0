import type { Clock } from '../ports/clock.ts';

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
