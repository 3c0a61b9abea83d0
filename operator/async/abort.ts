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
