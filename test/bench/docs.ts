import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Plot, svgOf } from './plots.ts';
import { type Figure, type Machine, toMarkdown } from './report.ts';

/** `npm run bench:docs`: writes the figures of the last `make bench` into docs/performance.md, and its plots beside it. */

const ROOT = join(import.meta.dirname, '../..');
const PAGE = join(ROOT, 'docs/performance.md');
const PLOTS = join(ROOT, 'docs/performance');
const [BEGIN, END] = ['<!-- begin: npm run bench:docs -->', '<!-- end: npm run bench:docs -->'];

interface Results {
  readonly machine: Machine;
  readonly at: string;
  readonly figures: readonly Figure[];
  readonly plots: readonly Plot[];
}

const sectionOf = ({ machine, at, figures, plots }: Results): string =>
  [
    BEGIN,
    '',
    `Measured on ${at.slice(0, 10)}: ${machine.cores} cores, ${machine.cpu}, Node ${machine.node}; control plane, operator and load on the same machine.`,
    '',
    toMarkdown(figures),
    '',
    ...plots.flatMap(({ name, title }) => [`![${title}](performance/${name}.svg)`, '']),
    END,
  ].join('\n');

const main = (): void => {
  const results = JSON.parse(readFileSync(join(ROOT, 'bench-results/bench.json'), 'utf8')) as Results;
  const page = readFileSync(PAGE, 'utf8');
  const [before, rest] = page.split(BEGIN);
  const after = rest?.split(END)[1];
  if (before === undefined || after === undefined) throw new Error(`${PAGE} has no ${BEGIN} … ${END}`);
  writeFileSync(PAGE, `${before}${sectionOf(results)}${after}`);
  mkdirSync(PLOTS, { recursive: true });
  for (const plot of results.plots) writeFileSync(join(PLOTS, `${plot.name}.svg`), `${svgOf(plot)}\n`);
};

main();
