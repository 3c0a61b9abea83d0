import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ROOT } from '../../bench/lib/bench-env.ts';
import type { Attack } from '../attack.ts';
import { verdictsOf } from './bounds.ts';
import type { HonestRound } from './honest-client.ts';
import type { Measurement } from './measure.ts';

/** One attack on one revision. */
export interface Row {
  readonly attack: Attack;
  /** The name of the checkout. */
  readonly on: string;
  readonly found: Measurement;
}

const ms = (value: number): string => (Number.isNaN(value) ? '–' : value.toFixed(0));

const honestText = ({ p50Ms, p99Ms, calls, failed }: HonestRound): string =>
  `${ms(p50Ms)}/${ms(p99Ms)} ms${failed > 0 ? `, ${failed} of ${calls} failed` : ''}`;

const resultOf = ({ attack, found }: Row): string => {
  const missed = verdictsOf(attack, found).filter(({ holds }) => !holds);
  if (missed.length === 0) return 'PASS';
  const known = attack.stillSucceeds === undefined ? '' : ` (known: ${attack.stillSucceeds})`;
  return `FAIL: ${missed.map(({ bound }) => bound).join(', ')}${known}`;
};

const refusalsText = ({ counts }: Measurement): string =>
  Object.entries(counts.refusals)
    .map(([how, times]) => `${times} × ${how}`)
    .join(', ') || 'none';

const cellsOf = (row: Row): string[] => {
  const { attack, on, found } = row;
  const { peakMiB, turn, probes, lease, hasEnded, usual, during, beside, counts, checks } = found;
  return [
    `\`${attack.name}\``,
    on,
    `${peakMiB.toFixed(0)} MiB`,
    `${ms(turn.ms)} ms (CPU ${ms(turn.cpuMs)})`,
    `${probes.answered} answered, ${probes.failed} failed, slowest ${ms(probes.slowestMs)} ms`,
    hasEnded
      ? 'the operator ended'
      : `${lease.isKept ? 'kept' : 'lost'}, oldest ${(lease.oldestMs / 1000).toFixed(1)} s`,
    honestText(usual),
    honestText(during),
    honestText(beside),
    `${counts.accepted} of ${counts.attempts}`,
    refusalsText(found),
    [resultOf(row), ...checks.map(({ found: text }) => text)].join('; '),
  ];
};

const HEAD = [
  'attack',
  'on',
  'memory peak',
  'event loop, longest turn',
  'probes',
  'lease',
  'honest p50/p99 before',
  'during',
  'beside the attacker',
  'accepted',
  'refusals',
  'result',
];

const lineOf = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;

/** The table, in the order of the rows. */
export const toTable = (rows: readonly Row[]): string =>
  [lineOf(HEAD), lineOf(HEAD.map(() => '---')), ...rows.map((row) => lineOf(cellsOf(row)))].join('\n');

/** What each attack does, for the reader of a table. */
export const toLegend = (attacks: readonly Attack[]): string =>
  attacks.map(({ name, does }) => `- \`${name}\`: ${does}.`).join('\n');

/** Keeps what is measured so far in bench-results/: an attack that fails takes none of those before it along. */
export const keep = async (rows: readonly Row[], attacks: readonly Attack[]): Promise<void> => {
  const folder = join(ROOT, 'bench-results');
  await mkdir(folder, { recursive: true });
  const raw = rows.map(({ attack, on, found }) => ({ attack: attack.name, on, ...found }));
  await writeFile(join(folder, 'attack.json'), `${JSON.stringify(raw, null, 2)}\n`);
  await writeFile(join(folder, 'attack.md'), `${toTable(rows)}\n\n${toLegend(attacks)}\n`);
};
