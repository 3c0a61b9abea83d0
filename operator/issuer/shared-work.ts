import type { Clock } from '../ports/clock.ts';
import { IssuerFailure } from './failure.ts';

/** The caller is gone, or its deadline has passed; nobody is likely to read this. */
export const calledOff = (): IssuerFailure =>
  new IssuerFailure('Unavailable', 'the call was ended before it was done');

/**
 * What `work` gives, unless `signal` aborts before: then this caller waits no longer, and those that share the work
 * with it still do.
 * @throws IssuerFailure `Unavailable` where the signal aborts
 */
export const unlessAborted = <T>(work: Promise<T>, signal: AbortSignal): Promise<T> =>
  new Promise((resolve, reject) => {
    const abort = (): void => reject(calledOff());
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

/** Runs work that several callers share under a deadline of its own: none of theirs may end it for the others. */
export const withDeadline = async <T>(
  clock: Clock,
  ms: number,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> => {
  const deadline = new AbortController();
  const cancel = clock.after(ms, () => deadline.abort());
  try {
    return await work(deadline.signal);
  } finally {
    cancel();
  }
};
