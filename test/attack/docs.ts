import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ROOT } from '../bench/lib/bench-env.ts';
import { ATTACKS } from './attacks.ts';
import type { Measurement } from './measure/measure.ts';

/** `npm run attack:docs`: writes what the last `make attack` has measured (bench-results/attack.json) into docs/security.md. */

const PAGE = join(ROOT, 'docs/security.md');
const BLOCK = /(<!-- attacks -->\n)[\s\S]*?(<!-- end -->)/u;

type Found = Pick<
  Measurement,
  'peakMiB' | 'turn' | 'probes' | 'lease' | 'usual' | 'during' | 'refusals' | 'hasEnded'
>;

const cellsOf = (found: Found | undefined): string[] => {
  if (!found) return ['', '', '', '', ''];
  const { peakMiB, turn, probes, lease, usual, during, refusals, hasEnded } = found;
  const lost = lease.isKept ? '' : ', Lease lost';
  const failed = during.failed > 0 ? `, ${during.failed} of ${during.calls} failed` : '';
  return [
    hasEnded ? 'the operator ended' : `${peakMiB.toFixed(0)} MiB`,
    `${turn.ms.toFixed(0)} ms`,
    `${probes.failed} of ${probes.answered + probes.failed}${lost}`,
    `${usual.p99Ms.toFixed(0)} → ${during.p99Ms.toFixed(0)} ms${failed}`,
    String(refusals),
  ];
};

const raw = JSON.parse(await readFile(join(ROOT, 'bench-results/attack.json'), 'utf8')) as ({
  attack: string;
  on: string;
} & Found)[];
const lines = ATTACKS.flatMap(({ name, does }) =>
  raw
    .filter(({ attack }) => attack === name)
    .sort((one, other) => (one.on === 'now' ? 1 : 0) - (other.on === 'now' ? 1 : 0))
    .map((row, at) => [at === 0 ? does : '', row.on === 'now' ? 'now' : 'before', ...cellsOf(row)]),
);
const HEAD = ['attack', '', 'memory', 'event loop', 'probes that failed', 'honest p99', 'refusals'];
const table = [HEAD, HEAD.map(() => '---'), ...lines].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
const page = await readFile(PAGE, 'utf8');
await writeFile(
  PAGE,
  page.replace(BLOCK, (_, begin, end) => `${begin}\n${table}\n\n${end}`),
);
