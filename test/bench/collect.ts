import { eventually } from '../support/eventually.ts';
import { freshFigure, makeFreshTokens } from './fresh-tokens.ts';
import { ISSUED_TOKENS } from './handed-out.ts';
import { timedCalls } from './latency.ts';
import { type RecordsWanted, TOKEN_BATCHES, writeBatchedRecords, writeIssuedTokens } from './records.ts';
import { blockFigure, type Figure, median, spread } from './report.ts';
import { note, QUICK } from './scale.ts';
import { type Block, METERED, scrapesOf } from './scrapes.ts';
import { newSpan } from './span.ts';
import type { World } from './world.ts';

/** Garbage collection of expired records, beside a bare loop of the same conditional DELETEs before and after it. */

const TARGET = 0.75;
/** As many as the operator has under way of each kind. */
const IN_FLIGHT = 16;
const FRESH_TOKENS = 20;
/** Ten minutes ago. */
const EXPIRED_SECONDS = -600;
const PATIENCE = { timeoutMs: 300_000, intervalMs: 5 };

/** What is collected. */
interface Garbage {
  readonly name: string;
  readonly path: string;
  /** Records that the operator collects. */
  readonly count: number;
  /** Records that the bare loop deletes, each time. */
  readonly bareCount: number;
  write(world: World, wanted: RecordsWanted): Promise<void>;
}

const GARBAGE: readonly Garbage[] = [
  {
    name: 'IssuedTokens',
    path: ISSUED_TOKENS,
    count: QUICK ? 500 : 10_000,
    bareCount: QUICK ? 250 : 2_500,
    write: writeIssuedTokens,
  },
  {
    name: 'batched records',
    path: TOKEN_BATCHES,
    count: QUICK ? 5_120 : 100_000,
    bareCount: QUICK ? 5_120 : 100_000,
    write: writeBatchedRecords,
  },
];

/** Rates in objects a second, as a watch saw them go. */
interface Collected {
  readonly objects: number;
  readonly bare: number[];
  readonly own: number;
  /** Milliseconds to Ready of Tokens that were made meanwhile, and of Tokens that were made when all was done. */
  readonly fresh: readonly number[];
  readonly freshIdle: readonly number[];
  readonly blocked: Block;
}

/** What was measured, by the name of what was collected. */
export type CollectRounds = Readonly<Record<string, Collected>>;

const watchDeletions = async (world: World, path: string) => {
  const span = newSpan();
  const stop = await world.server.watch(path, ({ type }) => {
    if (type === 'DELETED') span.mark();
  });
  return { span, stop };
};

const bareDeletes = async (world: World, { path, bareCount, write }: Garbage): Promise<number> => {
  await write(world, { count: bareCount, expiresIn: EXPIRED_SECONDS });
  const objects = await world.server.all(path);
  const { span, stop } = await watchDeletions(world, path);
  await timedCalls({ count: objects.length, inFlight: IN_FLIGHT }, async (at) => {
    const object = objects[at];
    if (object) await world.server.remove(path, object);
  });
  await eventually(() => span.count === objects.length, PATIENCE);
  stop();
  return span.perSecond;
};

const operatorCollects = async (
  world: World,
  { path, count, write }: Garbage,
): Promise<Omit<Collected, 'bare'>> => {
  await write(world, { count, expiresIn: EXPIRED_SECONDS });
  const objects = (await world.server.all(path)).length;
  const { span, stop } = await watchDeletions(world, path);
  const operator = await world.operator({
    ...METERED,
    config: { garbageCollection: { ttlAfterExpiry: '1s' } },
  });
  try {
    const scrapes = scrapesOf(operator);
    await eventually(() => span.count > 0, PATIENCE);
    await scrapes.longestBlock();
    const fresh = await makeFreshTokens(world, {
      count: FRESH_TOKENS,
      goesOn: () => span.count < objects,
    });
    await eventually(() => span.count === objects, PATIENCE);
    const blocked = await scrapes.longestBlock();
    const freshIdle = await makeFreshTokens(world, { count: FRESH_TOKENS, goesOn: () => true });
    return { objects, own: span.perSecond, fresh, freshIdle, blocked };
  } finally {
    await operator.stop();
    stop();
  }
};

/** Measures each kind in turn. */
export const measureCollect = async (world: World): Promise<CollectRounds> => {
  const found: Record<string, Collected> = {};
  for (const garbage of GARBAGE) {
    const before = await bareDeletes(world, garbage);
    const own = await operatorCollects(world, garbage);
    const bare = [before, await bareDeletes(world, garbage)];
    found[garbage.name] = { bare, ...own };
    note(`${garbage.name}: bare ${spread(bare, 'DELETEs/s')}, operator ${own.own.toFixed(0)}/s`);
  }
  return found;
};

/** What it says in the table. */
export const collectFigures = (rounds: CollectRounds): Figure[] =>
  Object.entries(rounds).flatMap(([name, { objects, bare, own, fresh, freshIdle, blocked }]) => {
    const count = GARBAGE.find((garbage) => garbage.name === name)?.count;
    const ratio = own / median(bare);
    const what = `while ${count} ${name} are collected`;
    return [
      {
        scenario: `${count} expired ${name} collected, in ${objects} objects`,
        measured: `${own.toFixed(0)} objects/s`,
        limit: `bare conditional DELETEs, ${IN_FLIGHT} in flight: ${spread(bare, 'objects/s')}`,
        ratio,
        target: `≥ ${TARGET}`,
        pass: ratio >= TARGET,
      },
      freshFigure(what, fresh, freshIdle),
      blockFigure(what, { '': blocked }),
    ];
  });
