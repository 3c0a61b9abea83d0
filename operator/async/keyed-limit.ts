/** How much may be in use at once. */
export interface KeyedLimits {
  readonly total: number;
  /** Of one key; {@link KeyedLimit.take} without a key counts in the total only. */
  readonly perKey: number;
}

/** Counts what is in use, by key and in total, and admits nothing beyond either limit. */
export class KeyedLimit {
  readonly #limits: KeyedLimits;
  readonly #counts = new Map<string, number>();
  #size = 0;

  constructor(limits: KeyedLimits) {
    this.#limits = limits;
  }

  /** How many are in use. */
  get size(): number {
    return this.#size;
  }

  /** Takes one; or, where a limit is reached, takes nothing and returns which one. Each one taken has to be released. */
  take(key: string | undefined): keyof KeyedLimits | undefined {
    const count = this.countOf(key);
    if (count >= this.#limits.perKey) return 'perKey';
    if (this.#size >= this.#limits.total) return 'total';
    this.#size += 1;
    if (key !== undefined) this.#counts.set(key, count + 1);
    return undefined;
  }

  release(key: string | undefined): void {
    this.#size -= 1;
    if (key === undefined) return;
    const count = this.countOf(key) - 1;
    if (count > 0) this.#counts.set(key, count);
    else this.#counts.delete(key);
  }

  /** How many a key uses; 0 without a key. */
  countOf(key: string | undefined): number {
    return key === undefined ? 0 : (this.#counts.get(key) ?? 0);
  }
}

/** A function that calls `work` the first time it is called, and does nothing afterwards: what was taken is released once. */
export const once = (work: () => void): (() => void) => {
  let isDone = false;
  return () => {
    if (isDone) return;
    isDone = true;
    work();
  };
};
