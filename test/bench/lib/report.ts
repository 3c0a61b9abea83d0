import { mkdir, writeFile } from 'node:fs/promises';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { type Plot, svgOf } from './plots.ts';
import type { Block } from './scrapes.ts';

/** One figure beside its target. */
export interface Figure {
  readonly scenario: string;
  readonly measured: string;
  readonly limit: string;
  readonly ratio?: number;
  /** Absent where the row says where the figure before it comes from; so is `pass`. */
  readonly target?: string;
  readonly pass?: boolean;
}

export const median = (values: readonly number[]): number => {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] ?? Number.NaN)) / 2;
};

/** The median of the ratios of neighbours: of what each round measured and of the limit beside it. */
export const medianRatio = (own: readonly number[], limit: readonly number[]): number =>
  median(own.map((value, at) => value / (limit[at] ?? Number.NaN)));

/** `median (min–max)`, rounded for reading. */
export const spread = (values: readonly number[], unit: string): string => {
  const round = (value: number): string => value.toFixed(value < 10 ? 2 : 0);
  return `${round(median(values))} ${unit} (${round(Math.min(...values))}–${round(Math.max(...values))})`;
};

/** The row of what is to reach a part of its limit, which is its ratio. */
export const reachFigure = ({
  target,
  ...row
}: Pick<Figure, 'scenario' | 'measured' | 'limit'> & {
  readonly ratio: number;
  readonly target: number;
}): Figure => ({ ...row, target: `≥ ${target}`, pass: row.ratio >= target });

/** Longest block of the operator's event loop that is fine, in milliseconds. */
const MOST_BLOCKED_MS = 100;

/** The row of the longest blocks of the event loop, by when they were; '' where there is but one. */
export const blockFigure = (what: string, blocks: Readonly<Record<string, Block>>): Figure => ({
  scenario: `longest block of the event loop ${what}`,
  measured: Object.entries(blocks)
    .map(
      ([when, { ms, cpuMs }]) =>
        `${ms.toFixed(0)} ms${when && ` ${when}`} (CPU of a turn at most ${cpuMs.toFixed(0)} ms)`,
    )
    .join(', '),
  limit: 'a timer of 10 ms',
  target: `≤ ${MOST_BLOCKED_MS} ms`,
  pass: Object.values(blocks).every(({ ms }) => ms <= MOST_BLOCKED_MS),
});

/** How much longer a thing may take among the most than among the fewest. */
const MOST_GROWTH = 1.2;

/** The row of a growth, which is its ratio. */
export const growthFigure = (
  row: Pick<Figure, 'scenario' | 'measured' | 'limit'> & { readonly ratio: number },
): Figure => ({ ...row, target: `≤ ${MOST_GROWTH}`, pass: row.ratio <= MOST_GROWTH });

/** The machine of a run. */
export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly node: string;
}

const resultOf = (pass: boolean | undefined): string => {
  if (pass === undefined) return '';
  return pass ? 'PASS' : 'SHORT';
};

/** The table that a run ends with. */
export const toMarkdown = (figures: readonly Figure[]): string =>
  [
    '| scenario | measured | limit in the same run | ratio | target | |',
    '| --- | --- | --- | --- | --- | --- |',
    ...figures.map(
      ({ scenario, measured, limit, ratio, target = '', pass }) =>
        `| ${scenario} | ${measured} | ${limit} | ${ratio === undefined ? '' : ratio.toFixed(2)} | ${target} | ${resultOf(pass)} |`,
    ),
  ].join('\n');

/** This machine. */
const machine = (): Machine => ({
  cpu: cpus()[0]?.model ?? 'unknown',
  cores: cpus().length,
  node: process.version,
});

/** Keeps what is measured so far, table, plots and raw figures, in bench-results/: a scenario that fails takes none of those before it along. */
export const keep = async (
  figures: readonly Figure[],
  plots: readonly Plot[],
  raw: object,
): Promise<void> => {
  const dir = join(import.meta.dirname, '../../../bench-results');
  const results = { machine: machine(), at: new Date().toISOString(), figures, plots, raw };
  await mkdir(dir, { recursive: true });
  await writeFile(join(dir, 'bench.json'), `${JSON.stringify(results, null, 2)}\n`);
  await writeFile(join(dir, 'bench.md'), `${toMarkdown(figures)}\n`);
  for (const plot of plots) await writeFile(join(dir, `${plot.name}.svg`), `${svgOf(plot)}\n`);
};

/** Prints the table. */
export const print = (figures: readonly Figure[]): void => {
  const { cores, cpu, node } = machine();
  console.log(`\n${cores} cores, ${cpu}, Node ${node}\n\n${toMarkdown(figures)}\n`);
};
