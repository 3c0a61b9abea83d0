import { IssuerFailure } from './failure.ts';
import { calledOff } from './shared-work.ts';

/** So much at once, so much that waits, in the order of arrival; beyond that it is refused. */
export interface Semaphore {
  /** @throws IssuerFailure `Exhausted` where too many wait already, `Unavailable` where `signal` aborts before its turn; whatever `work` throws */
  run<T>(work: () => Promise<T>, signal: AbortSignal): Promise<T>;
}

export interface SemaphoreOptions {
  readonly atOnce: number;
  readonly waiting: number;
}

/** Makes {@link Semaphore}. */
export const createSemaphore = ({ atOnce, waiting }: SemaphoreOptions): Semaphore => {
  let running = 0;
  /** In insertion order: first come, first served; one that gives up is taken out at once. */
  const queue = new Set<() => void>();

  const turn = (signal: AbortSignal): Promise<void> =>
    new Promise((resolve, reject) => {
      if (signal.aborted) return reject(calledOff());
      if (queue.size >= waiting) {
        return reject(new IssuerFailure('Exhausted', 'too much is asked for at the moment, try again later'));
      }
      const abort = (): void => {
        queue.delete(go);
        reject(calledOff());
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
    // The slot goes over to who waits longest: nobody comes in between.
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
