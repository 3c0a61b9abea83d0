import { median } from './report.ts';

/** What a loop of calls showed: how many a second, and how long each took. */
export interface CallRound {
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/** Of each round. */
export const ratesOf = (rounds: readonly CallRound[]): number[] => rounds.map(({ perSecond }) => perSecond);

/** The value below which `share` of the values lie, which are sorted; NaN where there is none. */
export const quantile = (sorted: readonly number[], share: number): number =>
  sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;

/** Runs `work` for 0 … count-1 with `inFlight` at a time and times each. */
export const timedCalls = async (
  { count, inFlight }: { readonly count: number; readonly inFlight: number },
  work: (at: number) => Promise<unknown>,
): Promise<CallRound> => {
  const latencies: number[] = [];
  let next = 0;
  const start = performance.now();
  const worker = async (): Promise<void> => {
    while (next < count) {
      const at = next;
      next += 1;
      const began = performance.now();
      await work(at);
      latencies.push(performance.now() - began);
    }
  };
  await Promise.all(Array.from({ length: Math.min(inFlight, count) }, worker));
  const seconds = (performance.now() - start) / 1000;
  latencies.sort((a, b) => a - b);
  return {
    perSecond: count / seconds,
    p50Ms: quantile(latencies, 0.5),
    p99Ms: quantile(latencies, 0.99),
  };
};

/** `p50 … ms, p99 … ms`: the medians of several rounds. */
export const latencyText = (rounds: readonly CallRound[]): string =>
  `p50 ${median(rounds.map(({ p50Ms }) => p50Ms)).toFixed(1)} ms, p99 ${median(rounds.map(({ p99Ms }) => p99Ms)).toFixed(1)} ms`;
