import { type CallRound, latencyText, ratesOf } from './latency.ts';
import { type Figure, median, medianRatio, reachFigure, spread } from './report.ts';
import { note } from './scale.ts';

/** One of the two that are compared. */
export interface Side {
  /** What has to be so before a run, and is no part of it. */
  prepare?(): Promise<void>;
  run(): Promise<CallRound>;
  /** CPU time that its server has used so far. */
  cpuSeconds(): Promise<number>;
}

/** What is measured side by side, the limit first. */
export interface ComparedRun {
  readonly name: string;
  /** Calls of one run. */
  readonly calls: number;
  readonly limit: Side;
  readonly own: Side;
}

interface Run extends CallRound {
  /** The server's CPU time for a call, in milliseconds. */
  readonly cpuMs: number;
}

/** Runs of both sides, in turn. */
export interface Comparison {
  readonly limit: Run[];
  readonly own: Run[];
}

export const noRuns = (): Comparison => ({ limit: [], own: [] });

const runOf = async (side: Side, calls: number): Promise<Run> => {
  await side.prepare?.();
  const before = await side.cpuSeconds();
  const round = await side.run();
  return { ...round, cpuMs: (((await side.cpuSeconds()) - before) * 1000) / calls };
};

const SIDES = ['limit', 'own'] as const;

/** One run of each side, the other one first each time: the second has more objects in storage. Both figures on stderr. */
export const compare = async (into: Comparison, compared: ComparedRun): Promise<void> => {
  const order = into.own.length % 2 === 0 ? SIDES : SIDES.toReversed();
  for (const side of order) into[side].push(await runOf(compared[side], compared.calls));
  const texts = SIDES.map((side) => `${side} ${into[side].at(-1)?.perSecond.toFixed(0)}/s`);
  note(`${compared.name}: ${texts.join(', ')}`);
};

const textOf = (runs: readonly Run[]): string => {
  const cpuMs = median(runs.map((run) => run.cpuMs));
  return `${spread(ratesOf(runs), 'calls/s')}, ${latencyText(runs)}, ${cpuMs.toFixed(3)} ms CPU each`;
};

/** What a comparison says in the table; the ratio is the median of those of neighbours. */
export const comparisonFigure = (
  { limit, own }: Comparison,
  text: { readonly scenario: string; readonly limit: string; readonly target: number },
): Figure =>
  reachFigure({
    scenario: text.scenario,
    measured: textOf(own),
    limit: `${text.limit}: ${textOf(limit)}`,
    ratio: medianRatio(ratesOf(own), ratesOf(limit)),
    target: text.target,
  });
