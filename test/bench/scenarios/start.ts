import { eventually } from '../../support/eventually.ts';
import { writeBackgroundRecords } from '../lib/background-records.ts';
import type { BenchEnv } from '../lib/bench-env.ts';
import { openFreshTokens } from '../lib/fresh-tokens.ts';
import type { Plot } from '../lib/plots.ts';
import { openPod, type Pod } from '../lib/pod.ts';
import { residentBytesOf } from '../lib/processes.ts';
import { TOKEN_BATCHES, writeBatchedRecords } from '../lib/records.ts';
import { blockFigure, type Figure, median, medianRatio, spread } from '../lib/report.ts';
import { note, QUICK, ROUNDS } from '../lib/scale.ts';
import { type Block, METERED, scrapesOf, worstOf } from '../lib/scrapes.ts';
import { librariesBytes } from '../limits/bare-libraries.ts';
import { bareListSeconds } from '../limits/bare-lists.ts';

/** The operator's start over many records, beside a bare process that reads and parses the same lists. */

const TARGET = 1.5;
/** Where that target holds: with fewer, a process has loaded its modules for longer than it lists. */
const MANY = 100_000;
const MEGABYTE = 1e6;
/** What a replica without any record may take. */
const BASE_BYTES = 60 * MEGABYTE;
const BYTES_AN_OBJECT = 1000;
const BYTES_A_BATCHED_RECORD = 400;
/** Of records that are to stay. */
const HOUR_SECONDS = 3600;

/** What the operator starts over. */
export interface Load {
  readonly kind: string;
  readonly count: number;
  /** What it may hold of each, in bytes. */
  readonly bytesEach: number;
  /** Makes them, and returns what takes them away, or leaves them to those that come later. */
  make(env: BenchEnv): Promise<() => Promise<void>>;
}

const nameOf = ({ kind, count }: Load): string => (count === 0 ? `no ${kind}` : `${count} ${kind}`);

const LEFT = async (): Promise<void> => undefined;

const issuedTokens = (count: number): Load => ({
  kind: 'IssuedTokens',
  count,
  bytesEach: BYTES_AN_OBJECT,
  make: async (env) => {
    await writeBackgroundRecords(env, count);
    return LEFT;
  },
});

const batchedRecords = (count: number): Load => ({
  kind: 'batched records',
  count,
  bytesEach: BYTES_A_BATCHED_RECORD,
  make: async (env) => {
    await writeBatchedRecords(env, { count, expiresIn: HOUR_SECONDS });
    return () => env.server.empty(TOKEN_BATCHES);
  },
});

/** Ready Tokens that others have made. */
export const readyLoad = (count: number): Load => ({
  kind: 'Ready Tokens',
  count,
  bytesEach: BYTES_AN_OBJECT,
  make: async () => LEFT,
});

const NOTHING: Load = { kind: 'records', count: 0, bytesEach: 0, make: async () => LEFT };

/** Issued tokens' records. */
export const RECORD_LOADS: readonly Load[] = QUICK
  ? [batchedRecords(2000), issuedTokens(500)]
  : [
      NOTHING,
      batchedRecords(10_000),
      batchedRecords(MANY),
      issuedTokens(1000),
      issuedTokens(10_000),
      issuedTokens(MANY),
    ];

/** One start. */
interface Start {
  readonly seconds: number;
  readonly residentBytes: number;
  /** From the start until ready. */
  readonly blocked: Block;
  /** From ready until it led and had made a fresh Token Ready. */
  readonly blockedInUse: Block;
}

/** What was measured, by the name of what it started over. */
export interface StartRounds {
  /** Resident memory of a process that has loaded the operator's libraries and does nothing. */
  readonly librariesBytes: number;
  readonly byLoad: Readonly<Record<string, LoadRounds>>;
}

interface LoadRounds {
  readonly bare: number[];
  readonly own: Start[];
}

const NONE: LoadRounds = { bare: [], own: [] };

const startOnce = async (env: BenchEnv, { options }: Pod): Promise<Start> => {
  const start = performance.now();
  const operator = await env.operator({ ...options, env: { ...options.env, ...METERED.env } });
  try {
    await operator.ready(120_000);
    const seconds = (performance.now() - start) / 1000;
    const scrapes = scrapesOf(operator);
    const blocked = await scrapes.longestBlock();
    await eventually(() => operator.log.some(({ message }) => message === 'controllers started'), {
      timeoutMs: 60_000,
    });
    const fresh = await openFreshTokens(env);
    await fresh.make();
    fresh.stop();
    const blockedInUse = await scrapes.longestBlock();
    return { seconds, residentBytes: await residentBytesOf(operator.pid), blocked, blockedInUse };
  } finally {
    await operator.stop();
  }
};

const measureLoads = async (
  env: BenchEnv,
  pod: Pod,
  loads: readonly Load[],
): Promise<StartRounds['byLoad']> => {
  const found: Record<string, LoadRounds> = {};
  for (const load of loads) {
    const remove = await load.make(env);
    const rounds: LoadRounds = { bare: [], own: [] };
    for (let round = 1; round <= ROUNDS; round += 1) {
      rounds.bare.push(await bareListSeconds(env));
      rounds.own.push(await startOnce(env, pod));
      const [bare, own] = [rounds.bare.at(-1), rounds.own.at(-1)];
      note(
        `${nameOf(load)}, round ${round}/${ROUNDS}: bare ${bare?.toFixed(2)} s, operator ${own?.seconds.toFixed(2)} s`,
      );
    }
    found[nameOf(load)] = rounds;
    await remove();
  }
  return found;
};

/** Measures each load in turn, the bare process and the operator one after the other in each round. */
export const measureStart = async (env: BenchEnv, loads: readonly Load[]): Promise<StartRounds> => {
  const pod = await openPod(env);
  try {
    return { librariesBytes: librariesBytes(), byLoad: await measureLoads(env, pod, loads) };
  } finally {
    await pod.close();
  }
};

const megabytes = (bytes: number): string => `${(bytes / MEGABYTE).toFixed(0)} MB`;

const figuresOf = (load: Load, { librariesBytes, byLoad }: StartRounds): Figure[] => {
  const { count, bytesEach } = load;
  const name = nameOf(load);
  const { bare, own } = byLoad[name] ?? NONE;
  const seconds = own.map((one) => one.seconds);
  const ratio = medianRatio(seconds, bare);
  const resident = median(own.map((one) => one.residentBytes));
  const allowed = BASE_BYTES + count * bytesEach;
  return [
    {
      scenario: `start to ready over ${name}`,
      measured: spread(seconds, 's'),
      limit: `bare process that lists and parses the same: ${spread(bare, 's')}`,
      ratio,
      // Of fewer the time is that of loading the program.
      ...(count >= MANY && { target: `≤ ${TARGET}`, pass: ratio <= TARGET }),
    },
    {
      scenario: `resident memory over ${name}`,
      measured: megabytes(resident),
      limit: `60 MB and ${bytesEach} B each: ${megabytes(allowed)}; a process that has loaded the same libraries: ${megabytes(librariesBytes)}`,
      ratio: resident / allowed,
      target: '≤ 1',
      pass: resident <= allowed,
    },
    blockFigure(`over ${name}`, {
      'to ready': worstOf(own.map((one) => one.blocked)),
      'in use': worstOf(own.map((one) => one.blockedInUse)),
    }),
  ];
};

/** What it says in the table. */
export const startFigures = (loads: readonly Load[], rounds: StartRounds): Figure[] =>
  loads.flatMap((load) => figuresOf(load, rounds));

/** How start and memory grow with what there is. */
export const startPlots = (loads: readonly Load[], { byLoad }: StartRounds): Plot[] => {
  const kinds = Map.groupBy(
    loads.filter(({ count }) => count > 0),
    ({ kind }) => kind,
  );
  const linesOf = (value: (rounds: LoadRounds) => number) =>
    [...kinds].map(([name, ofKind]) => ({
      name,
      points: ofKind.map((load) => [load.count, value(byLoad[nameOf(load)] ?? NONE)] as const),
    }));
  return [
    {
      name: 'start-to-ready',
      title: 'From the start of a process to ready',
      x: 'records',
      y: 's',
      lines: linesOf(({ own }) => median(own.map(({ seconds }) => seconds))),
    },
    {
      name: 'resident-memory',
      title: 'Resident memory of a replica',
      x: 'records',
      y: 'MB',
      lines: linesOf(({ own }) => median(own.map(({ residentBytes }) => residentBytes)) / MEGABYTE),
    },
  ];
};
