import { nextTick } from 'node:process';
import type { MonotonicClock } from '../ports/clock.ts';
import { type FairKey, FairQueue, type FairQueueLimits, type Waiter } from './fair-queue.ts';
import type { Awaitable } from './map-awaitable.ts';

/** Bounds how much work starts in one turn of the event loop; the rest starts in later ones, by group and by member (see {@link FairQueue}). */
export interface FairTurns {
  /**
   * Runs `work` at once while this turn has time left; `keyOf` is not called then.
   * @throws `full()` if too much waits and this is dropped; whatever `work` throws
   */
  run<T>(keyOf: () => FairKey, work: () => Awaitable<T>): Awaitable<T>;
  /**
   * Resolves when the caller may go on, one caller after the other: what each does until it waits for an event counts. So the parts of
   * work that is done by many at once, of which none takes long, take no longer together.
   * @throws `full()` if too much waits and this is dropped
   */
  next(key: FairKey): Promise<void>;
}

/** `work`, of which each call runs in turn; `keyOf` says for whom it waits. */
export const inTurns =
  <A extends readonly unknown[], T>(
    turns: Pick<FairTurns, 'run'>,
    work: (...args: A) => Awaitable<T>,
    keyOf: (...args: A) => FairKey,
  ): ((...args: A) => Awaitable<T>) =>
  (...args) =>
    turns.run(
      () => keyOf(...args),
      () => work(...args),
    );

export interface FairTurnsOptions {
  /** Milliseconds after the first work of a turn in which further work may start. */
  readonly budgetMs: number;
  readonly waiting: FairQueueLimits;
  readonly clock: MonotonicClock;
  /** Runs `work` in the next turn of the event loop, as `setImmediate` does. */
  readonly defer: (work: () => void) => void;
  /** What {@link FairTurns.run} rejects with. */
  readonly full: () => Error;
}

/** Makes {@link FairTurns}. */
export const createFairTurns = (options: FairTurnsOptions): FairTurns => {
  const { budgetMs, waiting, clock, defer, full } = options;
  const queue = new FairQueue<Waiter>(waiting);
  /** When this turn began, in monotonic milliseconds; undefined before its first work. */
  let beganAt: number | undefined;

  const begin = (): void => {
    beganAt = clock.monotonic();
    defer(endTurn);
  };
  const isOver = (): boolean => beganAt !== undefined && clock.monotonic() - beganAt >= budgetMs;

  let isContinuing = false;
  /** Starts the next one when that before has come to wait for an event: what it does after an `await` counts, too. */
  const continueLater = (): void => {
    if (isContinuing) return;
    isContinuing = true;
    // The tick runs when all microtasks have: those of the work, too.
    queueMicrotask(() =>
      nextTick(() => {
        isContinuing = false;
        if (!isOver()) startNext();
      }),
    );
  };
  const startNext = (): void => {
    queue.shift()?.item.start();
    if (queue.size > 0) continueLater();
  };

  const endTurn = (): void => {
    beganAt = undefined;
    if (queue.size === 0) return;
    begin();
    startNext();
  };

  const enqueue = <T>(key: FairKey, work: () => Awaitable<T>): Promise<T> =>
    new Promise((resolve, reject) => {
      const start = (): void => {
        try {
          resolve(work());
        } catch (error) {
          reject(error);
        }
      };
      queue.push(key, { start, reject }).dropped?.item.reject(full());
    });

  return {
    run: (keyOf, work) => {
      if (queue.size > 0 || isOver()) return enqueue(keyOf(), work);
      if (beganAt === undefined) begin();
      return work();
    },
    next: (key) => {
      const turn = enqueue(key, () => undefined);
      if (beganAt === undefined) begin();
      continueLater();
      return turn;
    },
  };
};
