import { MAX_BATCH_RECORDS } from '../../../operator/api/token-batch.ts';
import { eventually } from '../../support/eventually.ts';
import { BACKGROUND_PATH, writeBackgroundRecords } from '../lib/background-records.ts';
import type { BenchEnv } from '../lib/bench-env.ts';
import { freshFigure, makeFreshTokens } from '../lib/fresh-tokens.ts';
import { timedCalls } from '../lib/latency.ts';
import { EXPIRED_SECONDS, TOKEN_BATCHES, writeBatchedRecords } from '../lib/records.ts';
import { blockFigure, type Figure, growthFigure, median, reachFigure, spread } from '../lib/report.ts';
import { note, QUICK } from '../lib/scale.ts';
import { type Block, METERED, scrapesOf } from '../lib/scrapes.ts';
import { newSpan } from '../lib/span.ts';

/** Garbage collection of expired records, beside a bare loop of the same conditional DELETEs before and after it. */

const TARGET = 0.75;
/** As many as the operator has under way of each kind. */
const IN_FLIGHT = 16;
const PATIENCE = { timeoutMs: 600_000, intervalMs: 5 };

/** What is collected. */
interface Garbage {
  readonly name: string;
  readonly path: string;
  /** Records that the operator collects. */
  readonly count: number;
  /** Records that the bare loop deletes, each time. */
  readonly bareCount: number;
  /** Objects that those are in. */
  readonly bareObjects: number;
  /** The part of all whose rate is compared, after as many for the operator to warm up and at the end. */
  readonly part: { readonly share: number; readonly name: string };
  /** Tokens that are made meanwhile: few enough for their writes to weigh nothing beside the collection's. */
  readonly freshTokens: number;
  /** Sees to it that there are that many records. */
  provide(env: BenchEnv, count: number): Promise<void>;
}

/** For as long as the API server takes to fill and to collect its heap a few times: while it collects, it is half as fast. */
const BARE_DELETES = QUICK ? 250 : 10_000;
const BARE_BATCHES = QUICK ? 20 : 2000;
/** A million, since a hundred thousand are gone within a second. */
const BATCHED = QUICK ? 5_120 : 1_024_000;

const GARBAGE: readonly Garbage[] = [
  {
    name: 'IssuedTokens',
    path: BACKGROUND_PATH,
    count: QUICK ? 2000 : 100_000,
    bareCount: BARE_DELETES,
    bareObjects: BARE_DELETES,
    part: { share: 1 / 10, name: 'tenth' },
    freshTokens: QUICK ? 20 : 100,
    provide: writeBackgroundRecords,
  },
  {
    name: 'batched records',
    path: TOKEN_BATCHES,
    count: BATCHED,
    bareCount: BARE_BATCHES * MAX_BATCH_RECORDS,
    bareObjects: BARE_BATCHES,
    part: { share: 1 / 3, name: 'third' },
    freshTokens: 20,
    provide: (env, count) => writeBatchedRecords(env, { count, expiresIn: EXPIRED_SECONDS }),
  },
];

/** Rates in objects a second, as a watch saw them go. */
interface Collected {
  readonly garbage: Garbage;
  readonly objects: number;
  readonly bare: number[];
  readonly own: number;
  /** While most were there, and while few were left; not while the operator warmed up. */
  readonly ends: { readonly first: number; readonly last: number };
  /** Milliseconds to Ready of Tokens that were made meanwhile, and of Tokens that were made when all was done. */
  readonly fresh: readonly number[];
  readonly freshIdle: readonly number[];
  readonly blocked: Block;
}

/** What was measured of each kind. */
export type CollectRounds = readonly Collected[];

const watchDeletions = async (env: BenchEnv, path: string) => {
  const span = newSpan();
  const stop = await env.server.watch(path, ({ type }) => {
    if (type === 'DELETED') span.mark();
  });
  return { span, stop };
};

/** Of what is there. */
const bareDeletes = async (env: BenchEnv, { path, bareObjects }: Garbage): Promise<number> => {
  const { items: objects } = await env.server.get(`${path}?limit=${bareObjects}`);
  const { span, stop } = await watchDeletions(env, path);
  await timedCalls({ count: objects.length, inFlight: IN_FLIGHT }, async (at) => {
    const object = objects[at];
    if (object) await env.server.remove(path, object);
  });
  await eventually(() => span.count === objects.length, PATIENCE);
  stop();
  return span.perSecond;
};

const operatorCollects = async (
  env: BenchEnv,
  { path, part, freshTokens }: Garbage,
): Promise<Omit<Collected, 'garbage' | 'bare'>> => {
  const objects = await env.server.count(path);
  const { span, stop } = await watchDeletions(env, path);
  const operator = await env.operator({
    ...METERED,
    config: { garbageCollection: { ttlAfterExpiry: '1s' } },
  });
  try {
    const scrapes = scrapesOf(operator);
    await eventually(() => span.count > 0, PATIENCE);
    await scrapes.longestBlock();
    const fresh = await makeFreshTokens(env, {
      count: freshTokens,
      goesOn: () => span.count < objects,
    });
    await eventually(() => span.count === objects, PATIENCE);
    const blocked = await scrapes.longestBlock();
    const freshIdle = await makeFreshTokens(env, { count: freshTokens, goesOn: () => true });
    return { objects, own: span.perSecond, ends: span.atBothEnds(part.share), fresh, freshIdle, blocked };
  } finally {
    await operator.stop();
    stop();
  }
};

/** Measures each kind in turn. */
export const measureCollect = async (env: BenchEnv): Promise<CollectRounds> => {
  const found: Collected[] = [];
  for (const garbage of GARBAGE) {
    const { count, bareCount, provide } = garbage;
    await provide(env, count + bareCount);
    const before = await bareDeletes(env, garbage);
    const own = await operatorCollects(env, garbage);
    await provide(env, bareCount);
    const bare = [before, await bareDeletes(env, garbage)];
    found.push({ garbage, bare, ...own });
    note(`${garbage.name}: bare ${spread(bare, 'DELETEs/s')}, operator ${own.own.toFixed(0)}/s`);
  }
  return found;
};

/** What it says in the table. */
export const collectFigures = (rounds: CollectRounds): Figure[] =>
  rounds.flatMap(({ garbage, objects, bare, own, ends, fresh, freshIdle, blocked }) => {
    const { name, count, part } = garbage;
    const what = `while ${count} ${name} are collected`;
    return [
      reachFigure({
        scenario: `${count} expired ${name} collected, in ${objects} objects`,
        measured: `${own.toFixed(0)} objects/s`,
        limit: `bare conditional DELETEs, ${IN_FLIGHT} in flight: ${spread(bare, 'objects/s')}`,
        ratio: own / median(bare),
        target: TARGET,
      }),
      growthFigure({
        scenario: `collection of ${count} ${name}: time each while most were there, over that of the last`,
        measured: `${ends.first.toFixed(0)} objects/s of the second ${part.name}`,
        limit: `${ends.last.toFixed(0)} objects/s of the last ${part.name}`,
        ratio: ends.last / ends.first,
      }),
      freshFigure(what, fresh, freshIdle),
      blockFigure(what, { '': blocked }),
    ];
  });
