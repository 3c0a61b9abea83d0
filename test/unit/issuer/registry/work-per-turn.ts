import { setImmediate as turnOfTheLoop } from 'node:timers/promises';

/** Counts what is done between two turns of the event loop. */
export class WorkPerTurn {
  #since = 0;
  #most = 0;

  /** The most that was done without a turn. */
  get most(): number {
    return Math.max(this.#most, this.#since);
  }

  readonly count = (): void => {
    this.#since += 1;
  };

  /** Counts items as they are taken. */
  *of<T>(items: Iterable<T>): IterableIterator<T> {
    for (const item of items) {
      this.count();
      yield item;
    }
  }

  readonly turn = async (): Promise<void> => {
    await turnOfTheLoop();
    this.#most = this.most;
    this.#since = 0;
  };
}
