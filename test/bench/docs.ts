import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Plot, svgOf } from './lib/plots.ts';
import { type Figure, type Machine, toMarkdown } from './lib/report.ts';

/**
 * `npm run bench:docs`: writes the figures of the last `make bench` into docs/performance/figures.md, its plots beside
 * that page, and the most important rows into docs/performance.md.
 */

const ROOT = join(import.meta.dirname, '../..');
const SUMMARY = join(ROOT, 'docs/performance.md');
const PLOTS = join(ROOT, 'docs/performance');
const ALL_FIGURES = join(PLOTS, 'figures.md');
const [BEGIN, END] = ['<!-- begin: npm run bench:docs -->', '<!-- end: npm run bench:docs -->'];

/** The rows of docs/performance.md, by their scenario. */
const MAIN_SCENARIOS: readonly string[] = [
  'CreateToken PerToken, 32 in flight',
  "CreateToken PerToken, 32 in flight: the operator's CPU",
  'CreateToken Batched, 64 in flight, beside one that records nothing',
  'CreateToken Batched, 64 in flight, beside PerToken',
  'CPU of API server and etcd, Batched, 64 in flight',
  'GetTokens of 100000 tokens in TokenBatches',
  'DeleteTokens of all 10000 tokens of an owner, in IssuedTokens',
  'introspection of 1000 tokens, 32 in flight',
  "the verifier's GET of 1000 tokens, 32 in flight",
  'start to ready over 100000 batched records',
  'start to ready over 100000 IssuedTokens',
  'resident memory over 100000 IssuedTokens',
  'longest block of the event loop over 100000 IssuedTokens',
  '100000 expired IssuedTokens collected, in 100000 objects',
  '1024000 expired batched records collected, in 4000 objects',
  '1000 declared Tokens to Ready',
  '10000 declared Tokens to Ready',
  '10000 Tokens renewed that are due at once',
];

interface Results {
  readonly machine: Machine;
  readonly at: string;
  readonly figures: readonly Figure[];
  readonly plots: readonly Plot[];
}

/** @throws Error if the run did not measure that scenario */
const figureOf = (figures: readonly Figure[], scenario: string): Figure => {
  const figure = figures.find((one) => one.scenario === scenario);
  if (figure === undefined) throw new Error(`bench-results/bench.json has no figure ${scenario}`);
  return figure;
};

const machineLine = ({ machine, at }: Results): string =>
  `Measured on ${at.slice(0, 10)}: ${machine.cores} cores, ${machine.cpu}, Node ${machine.node}; control plane, operator and load on the same machine.`;

const summaryOf = (results: Results): string => {
  const { figures } = results;
  const targeted = figures.filter(({ pass }) => pass !== undefined);
  const reached = targeted.filter(({ pass }) => pass === true);
  return [
    BEGIN,
    '',
    `${machineLine(results)} ${reached.length} of ${targeted.length} figures reach their targets; [all figures and plots](performance/figures.md).`,
    '',
    toMarkdown(MAIN_SCENARIOS.map((scenario) => figureOf(figures, scenario))),
    '',
    END,
  ].join('\n');
};

const allFiguresOf = (results: Results): string =>
  [
    '# All figures',
    '',
    `${machineLine(results)} [Performance](../performance.md) says how to read them. This page is written by \`npm run bench:docs\`.`,
    '',
    toMarkdown(results.figures),
    '',
    ...results.plots.map(({ name, title }) => `![${title}](${name}.svg)\n`),
  ].join('\n');

const main = (): void => {
  const results = JSON.parse(readFileSync(join(ROOT, 'bench-results/bench.json'), 'utf8')) as Results;
  const page = readFileSync(SUMMARY, 'utf8');
  const [before, rest] = page.split(BEGIN);
  const after = rest?.split(END)[1];
  if (before === undefined || after === undefined)
    throw new Error(`${SUMMARY} does not have ${BEGIN} and ${END}`);
  mkdirSync(PLOTS, { recursive: true });
  writeFileSync(SUMMARY, `${before}${summaryOf(results)}${after}`);
  writeFileSync(ALL_FIGURES, allFiguresOf(results));
  for (const plot of results.plots) writeFileSync(join(PLOTS, `${plot.name}.svg`), `${svgOf(plot)}\n`);
};

main();
