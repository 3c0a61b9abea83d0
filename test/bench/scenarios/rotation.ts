import { eventually } from '../../support/eventually.ts';
import type { OperatorProcess } from '../../support/operator-process.ts';
import { writeBackgroundRecords } from '../lib/background-records.ts';
import {
  type BenchEnv,
  emptyTokens,
  isReady,
  KEY,
  SYSTEM,
  secretsPath,
  tokensPath,
} from '../lib/bench-env.ts';
import { openFreshTokens } from '../lib/fresh-tokens.ts';
import { activeKid, TOKEN_BATCHES, writeBatchedRecords } from '../lib/records.ts';
import { blockFigure, type Figure, growthFigure } from '../lib/report.ts';
import { note, QUICK } from '../lib/scale.ts';
import { type Block, METERED, scrapesOf } from '../lib/scrapes.ts';
import { bareListSeconds } from '../limits/bare-lists.ts';
import { type GapRound, measureGap, startCuttable } from './watch-gap.ts';

/** A rotation of the key that signed many records, and a watch's gap over them. */

const RECORDS = QUICK ? 2048 : 100_000;
const TOKENS = QUICK ? 20 : 200;
/** Of a gap, beside a list of the same. */
const TARGET = 1.5;
/** Between two tries of a watch, at most. */
const BACKOFF_SECONDS = 10;
const HOUR_SECONDS = 3600;
const SIGNING_KEY = `/apis/m2moauth.dev/v1alpha1/namespaces/${SYSTEM}/signingkeys`;

/** One rotation. */
interface Rotation {
  /** From the annotation until the SigningKey's status shows another Active key. */
  readonly milliseconds: number;
  readonly blocked: Block;
  /** Writes to Tokens and Secrets that were Ready before. */
  readonly writes: number;
}

/** What was measured. */
export interface RotationRounds {
  readonly without: Rotation;
  readonly own: Rotation;
  readonly gap: GapRound;
  readonly bareListSeconds: number;
}

let asked = 0;

const rotate = async (env: BenchEnv): Promise<number> => {
  const before = await activeKid(env);
  let activeAt: number | undefined;
  const stop = await env.server.watch(SIGNING_KEY, ({ object: { status } }) => {
    const active = status?.keys?.find(({ phase }: { phase: string }) => phase === 'Active');
    if (active && active.kid !== before) activeAt ??= performance.now();
  });
  asked += 1;
  const start = performance.now();
  await env.api.patch(KEY, 'merge', {
    metadata: { annotations: { 'm2moauth.dev/rotate': `bench-${asked}` } },
  });
  await eventually(() => activeAt !== undefined, { timeoutMs: 60_000, intervalMs: 5 });
  stop();
  return (activeAt ?? Number.NaN) - start;
};

interface Rotating {
  readonly operator: OperatorProcess;
  /** Of the Tokens that are Ready before. */
  readonly namespace: string;
  /** Where fresh Tokens are made; a new namespace unless given. */
  readonly freshIn?: string;
}

/** Rotates; a fresh Token after it shows that all before it in the queue was looked at. */
const rotateUnderOperator = async (
  env: BenchEnv,
  { operator, namespace, freshIn }: Rotating,
): Promise<Rotation> => {
  const fresh = await openFreshTokens(env, freshIn);
  await fresh.make();
  let writes = 0;
  const count = (): void => {
    writes += 1;
  };
  const stops = [fresh.stop];
  for (const path of [tokensPath(namespace), secretsPath(namespace)]) {
    stops.push(await env.server.watch(path, count));
  }
  const scrapes = scrapesOf(operator);
  await scrapes.longestBlock();
  const milliseconds = await rotate(env);
  await fresh.make();
  const blocked = await scrapes.longestBlock();
  for (const stop of stops) stop();
  return { milliseconds, blocked, writes };
};

/** Makes Tokens and batched records, and waits until the operator has made the first Ready and knows the others. */
const fill = async (env: BenchEnv, operator: OperatorProcess): Promise<string> => {
  const { namespace } = await env.createTokens(TOKENS);
  await writeBatchedRecords(env, { count: RECORDS, expiresIn: HOUR_SECONDS });
  const batches = (await env.server.all(TOKEN_BATCHES)).length;
  const areReady = async (): Promise<boolean> =>
    (await env.server.all(tokensPath(namespace))).every(isReady) &&
    (await operator.metric('m2moauth_cached_objects{resource="tokenbatches"}')) === batches;
  await eventually(areReady, { timeoutMs: 120_000, intervalMs: 100 });
  return namespace;
};

/** An operator that sees none of the records. */
const rotateWithout = async (env: BenchEnv): Promise<Rotation> => {
  const namespace = await env.api.createNamespace('empty');
  const freshIn = await env.api.createNamespace('fresh');
  const watchNamespaces = [SYSTEM, namespace, freshIn];
  const operator = await env.operator({ ...METERED, config: { kubernetes: { watchNamespaces } } });
  try {
    await operator.ready();
    return await rotateUnderOperator(env, { operator, namespace, freshIn });
  } finally {
    await operator.stop();
  }
};

/** Measures, with one operator behind a wire that can be cut. */
export const measureRotation = async (env: BenchEnv): Promise<RotationRounds> => {
  await writeBackgroundRecords(env, RECORDS);
  const without = await rotateWithout(env);
  const cuttable = await startCuttable(env);
  const { operator } = cuttable;
  const namespaces: string[] = [];
  try {
    await operator.ready(120_000);
    const namespace = await fill(env, operator);
    namespaces.push(namespace);
    const own = await rotateUnderOperator(env, { operator, namespace });
    note(
      `rotation without records ${without.milliseconds.toFixed(0)} ms, over ${RECORDS} ${own.milliseconds.toFixed(0)} ms`,
    );
    const seconds = await bareListSeconds(env);
    const gap = await measureGap(env, cuttable, namespace);
    note(`gap: synced after ${gap.seconds.toFixed(1)} s`);
    return { without, own, gap, bareListSeconds: seconds };
  } finally {
    await cuttable.stop();
    await env.server.empty(TOKEN_BATCHES);
    for (const namespace of namespaces) await emptyTokens(env, namespace);
  }
};

/** What it says in the table. */
export const rotationFigures = ({ without, own, gap, bareListSeconds: bare }: RotationRounds): Figure[] => {
  const over = `over ${RECORDS} IssuedTokens, ${RECORDS} batched records and ${TOKENS} Tokens`;
  return [
    growthFigure({
      scenario: `rotation ${over}, until the new key is Active`,
      measured: `${own.milliseconds.toFixed(0)} ms`,
      limit: `an operator that sees none of them: ${without.milliseconds.toFixed(0)} ms`,
      ratio: own.milliseconds / without.milliseconds,
    }),
    {
      scenario: 'writes to Ready Tokens and their Secrets by a rotation',
      measured: String(own.writes),
      limit: '0',
      target: '0',
      pass: own.writes === 0,
    },
    blockFigure(`by a rotation ${over}`, { '': own.blocked }),
    {
      scenario: `watch gap (410) ${over}, until synced`,
      measured: `${gap.seconds.toFixed(1)} s after the API server is back, ${gap.expired} watches listed again, ${gap.lost} records lost`,
      limit: `bare process that lists and parses the same: ${bare.toFixed(2)} s`,
      target: `≤ ${BACKOFF_SECONDS} s of backoff and ${TARGET} times that, none lost`,
      pass: gap.seconds <= BACKOFF_SECONDS + TARGET * bare && gap.lost === 0 && gap.expired > 0,
    },
    blockFigure(`by a watch gap ${over}`, { '': gap.blocked }),
  ];
};
