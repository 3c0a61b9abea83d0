/** How much a run of the bench does: `QUICK=1` is for CI, which looks for errors and not for speed. */
export const QUICK = process.env.QUICK === '1';

/** Rounds of each scenario, each beside its limit. */
export const ROUNDS = QUICK ? 1 : 3;

/** Says on stderr what goes on: a run takes minutes. */
export const note = (text: string): void =>
  console.error(`[${new Date().toISOString().slice(11, 19)}] ${text}`);
