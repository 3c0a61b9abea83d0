import type { MonotonicClock } from '../ports/clock.ts';
import { type Deadline, withDeadline } from './abort.ts';
import { type FairKey, FairQueue, type QueuedItem, type Waiter } from './fair-queue.ts';
import { KeyedLimit } from './keyed-limit.ts';

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
  /** Which groups are there; other semaphores may know them too. */
  readonly groups: RecentGroups;
  readonly clock: MonotonicClock;
  /** What {@link FairSemaphore.run} rejects with. */
  readonly errors: { readonly full: () => Error; readonly aborted: () => Error };
}

/** How long a group counts as present after it was seen, in milliseconds. */
const PRESENT_MS = 1000;

interface Seen {
  readonly group: string;
  at: number;
}

/** Which groups were seen lately, as far as is needed to tell whether a group is alone. Times are milliseconds of the caller's clock. */
export class RecentGroups {
  #last: Seen | undefined;
  /** Of another group than the last one. */
  #other: Seen | undefined;

  seen(group: string, now: number): void {
    if (this.#last?.group === group) {
      this.#last.at = now;
      return;
    }
    this.#other = this.#last;
    this.#last = { group, at: now };
  }

  /** Whether any other group was seen within the last second. */
  hasOthers(group: string, now: number): boolean {
    const other = this.#last?.group === group ? this.#other : this.#last;
    return other !== undefined && now - other.at < PRESENT_MS;
  }
}

/** Makes {@link FairSemaphore}. */
export const createFairSemaphore = (options: FairSemaphoreOptions): FairSemaphore => {
  const { atOnce, atOncePerGroup, waiting, waitingPerGroup, groups, clock, errors } = options;
  const queue = new FairQueue<Waiter>({ total: waiting, perGroup: waitingPerGroup });
  const running = new KeyedLimit({ total: atOnce, perKey: Number.POSITIVE_INFINITY });

  const isHeld = (group: string): boolean => {
    const now = running.countOf(group);
    if (now < atOncePerGroup.besideOthers) return false;
    return now >= atOncePerGroup.alone || groups.hasOthers(group, clock.monotonic());
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
    while (running.size < atOnce) {
      const next = queue.shift(isHeld);
      if (next === undefined) return;
      running.take(next.group);
      next.item.start();
    }
  };

  const end = (group: string): void => {
    running.release(group);
    if (queue.size > 0) startWaiting();
  };

  return {
    run: async (key, work, signal) => {
      groups.seen(key.group, clock.monotonic());
      // Whatever waits while there is room is of groups that have reached their own limit.
      if (running.size < atOnce && !isHeld(key.group)) running.take(key.group);
      else await turn(key, signal);
      try {
        return await work();
      } finally {
        end(key.group);
      }
    },
  };
};

/** What work waits for in its turn. */
interface Turn {
  readonly queue: FairSemaphore;
  readonly key: FairKey;
  readonly deadline: Omit<Deadline, 'signal'>;
}

/**
 * Runs `work` when it has its turn, with a signal that aborts at a deadline which begins then; for its turn it waits until an equal one.
 * With one deadline for both, what has waited for long is ended as soon as it has begun: at a full queue nothing succeeds, and each
 * request that is ended costs a connection.
 */
export const runInTurn = <T>(
  { queue, key, deadline }: Turn,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> =>
  withDeadline(deadline, (waiting) => queue.run(key, () => withDeadline(deadline, work), waiting));
