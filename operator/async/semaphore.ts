/** Bounds how many run at a time and how many wait, in the order of arrival. */
export interface Semaphore {
  /** @throws `errors.full()` where too many wait already, `errors.aborted()` where `signal` aborts before its turn; whatever `work` throws */
  run<T>(work: () => Promise<T>, signal: AbortSignal): Promise<T>;
}

export interface SemaphoreOptions {
  readonly atOnce: number;
  readonly waiting: number;
  /** What {@link Semaphore.run} rejects with. */
  readonly errors: { readonly full: () => Error; readonly aborted: () => Error };
}

/** Makes {@link Semaphore}. */
export const createSemaphore = ({ atOnce, waiting, errors }: SemaphoreOptions): Semaphore => {
  let running = 0;
  /** In insertion order: first come, first served; a caller that gives up is removed at once. */
  const queue = new Set<() => void>();

  const turn = (signal: AbortSignal): Promise<void> =>
    new Promise((resolve, reject) => {
      if (signal.aborted) return reject(errors.aborted());
      if (queue.size >= waiting) return reject(errors.full());
      const abort = (): void => {
        queue.delete(go);
        reject(errors.aborted());
      };
      const go = (): void => {
        signal.removeEventListener('abort', abort);
        resolve();
      };
      queue.add(go);
      signal.addEventListener('abort', abort, { once: true });
    });

  const release = (): void => {
    const [next] = queue;
    // The place passes straight to the caller that has waited longest.
    if (next === undefined) running -= 1;
    else {
      queue.delete(next);
      next();
    }
  };

  return {
    run: async (work, signal) => {
      if (running < atOnce) running += 1;
      else await turn(signal);
      try {
        return await work();
      } finally {
        release();
      }
    },
  };
};
