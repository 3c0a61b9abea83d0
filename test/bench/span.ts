/** When the first and the last of many things happened. */
export interface Span {
  readonly count: number;
  /** Happenings a second after the first one; NaN before the second. */
  readonly perSecond: number;
  /** Takes note of one more, now. */
  mark(): void;
}

/** A span of nothing yet. */
export const newSpan = (): Span => {
  let [count, first, last] = [0, 0, 0];
  return {
    get count() {
      return count;
    },
    get perSecond() {
      return count < 2 ? Number.NaN : (count - 1) / ((last - first) / 1000);
    },
    mark: () => {
      last = performance.now();
      if (count === 0) first = last;
      count += 1;
    },
  };
};
