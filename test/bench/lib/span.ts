/** When the first and the last of many things happened. */
export interface Span {
  readonly count: number;
  /** Happenings a second after the first one; NaN before the second. */
  readonly perSecond: number;
  /** Events a second among the first `share` of them, after as many for warming up, and among the last. */
  atBothEnds(share: number): { readonly first: number; readonly last: number };
  /** Takes note of one more, now. */
  mark(): void;
}

/** A span of nothing yet. */
export const newSpan = (): Span => {
  const at: number[] = [];
  const rate = (from: number, to: number): number =>
    (to - from) / (((at[to] ?? Number.NaN) - (at[from] ?? Number.NaN)) / 1000);
  return {
    get count() {
      return at.length;
    },
    get perSecond() {
      return at.length < 2 ? Number.NaN : rate(0, at.length - 1);
    },
    atBothEnds: (share) => {
      const part = Math.floor((at.length - 1) * share);
      return { first: rate(part, 2 * part), last: rate(at.length - 1 - part, at.length - 1) };
    },
    mark: () => {
      at.push(performance.now());
    },
  };
};
