import type { MonotonicClock } from '../ports/clock.ts';
import { type FairKey, FairQueue, type QueuedItem } from './fair-queue.ts';
import type { RecentGroups } from './recent-groups.ts';

/** Bounds how many run at a time and how many wait; those that wait take turns by group and by member (see {@link FairQueue}). */
export interface FairSemaphore {
  /**
   * Runs `work`, at once if that exceeds no limit.
   * @throws `errors.full()` if too many wait and this one is dropped, `errors.aborted()` if `signal` aborts before its turn; whatever `work` throws
   */
  run<T>(key: FairKey, work: () => Promise<T>, signal: AbortSignal): Promise<T>;
}

export interface FairSemaphoreOptions {
  readonly atOnce: number;
  /**
   * How many of one group run at a time, while it is alone and while there are other groups. What runs them shares its time among all,
   * so that those of a group take longer with each that another one runs.
   */
  readonly atOncePerGroup: { readonly alone: number; readonly besideOthers: number };
  readonly waiting: number;
  readonly waitingPerGroup: number;
  /** What {@link FairSemaphore.run} rejects with. */
  /** Which groups are there; other semaphores may know them too. */
  readonly groups: RecentGroups;
  readonly clock: MonotonicClock;
  readonly errors: { readonly full: () => Error; readonly aborted: () => Error };
}

/** Lets one that waits start, or rejects it. */
interface Waiter {
  readonly start: () => void;
  readonly reject: (error: Error) => void;
}

/** Makes {@link FairSemaphore}. */
export const createFairSemaphore = (options: FairSemaphoreOptions): FairSemaphore => {
  const { atOnce, atOncePerGroup, waiting, waitingPerGroup, groups, clock, errors } = options;
  const queue = new FairQueue<Waiter>({ total: waiting, perGroup: waitingPerGroup });
  const runningByGroup = new Map<string, number>();
  let running = 0;

  const runningOf = (group: string): number => runningByGroup.get(group) ?? 0;
  const isHeld = (group: string): boolean => {
    const now = runningOf(group);
    if (now < atOncePerGroup.besideOthers) return false;
    return now >= atOncePerGroup.alone || groups.hasOthers(group, clock.monotonic());
  };

  const begin = (group: string): void => {
    running += 1;
    runningByGroup.set(group, runningOf(group) + 1);
  };

  const turn = (key: FairKey, signal: AbortSignal): Promise<void> =>
    new Promise((resolve, reject) => {
      if (signal.aborted) return reject(errors.aborted());
      let queued: QueuedItem<Waiter> | undefined;
      const abort = (): void => {
        if (queued) queue.remove(queued);
        reject(errors.aborted());
      };
      const leave = (): void => signal.removeEventListener('abort', abort);
      signal.addEventListener('abort', abort, { once: true });
      const pushed = queue.push(key, {
        start: () => {
          leave();
          resolve();
        },
        reject: (error) => {
          leave();
          reject(error);
        },
      });
      queued = pushed.queued;
      pushed.dropped?.item.reject(errors.full());
    });

  const startWaiting = (): void => {
    while (running < atOnce) {
      const next = queue.shift(isHeld);
      if (next === undefined) return;
      begin(next.group);
      next.item.start();
    }
  };

  const end = (group: string): void => {
    running -= 1;
    const left = runningOf(group) - 1;
    if (left > 0) runningByGroup.set(group, left);
    else runningByGroup.delete(group);
    if (queue.size > 0) startWaiting();
  };

  return {
    run: async (key, work, signal) => {
      groups.seen(key.group, clock.monotonic());
      // Whatever waits while there is room is of groups that have reached their own limit.
      if (running < atOnce && !isHeld(key.group)) begin(key.group);
      else await turn(key, signal);
      try {
        return await work();
      } finally {
        end(key.group);
      }
    },
  };
};
