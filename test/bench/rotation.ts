import { eventually } from '../support/eventually.ts';
import { bareListSeconds } from './bare-lists.ts';
import { openFreshTokens } from './fresh-tokens.ts';
import { type GapRound, measureGap } from './gap.ts';
import { activeKid, TOKEN_BATCHES, writeBatchedRecords } from './records.ts';
import { blockFigure, type Figure } from './report.ts';
import { note, QUICK } from './scale.ts';
import { scrapesOf } from './scrapes.ts';
import { emptyTokens, KEY, makeReadyTokens, SYSTEM, secretsPath, tokensPath, type World } from './world.ts';

/** A rotation of the key that signed many records, and a watch's gap over them. */

const RECORDS = QUICK ? 2048 : 100_000;
const TOKENS = QUICK ? 20 : 200;
const TARGET = 1.5;
/** Contract §3: for so long a revocation may go unseen. */
const GAP_SECONDS = 10;
const HOUR_SECONDS = 3600;
const SIGNING_KEY = `/apis/m2moauth.dev/v1alpha1/namespaces/${SYSTEM}/signingkeys`;

/** One rotation. */
interface Rotation {
  /** From the annotation until the SigningKey's status shows another Active key. */
  readonly milliseconds: number;
  readonly blockedMs: number;
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

const rotate = async (world: World): Promise<number> => {
  const before = await activeKid(world);
  let activeAt: number | undefined;
  const stop = await world.server.watch(SIGNING_KEY, ({ object: { status } }) => {
    const active = status?.keys?.find(({ phase }: { phase: string }) => phase === 'Active');
    if (active && active.kid !== before) activeAt ??= performance.now();
  });
  asked += 1;
  const start = performance.now();
  await world.api.patch(KEY, 'merge', {
    metadata: { annotations: { 'm2moauth.dev/rotate': `bench-${asked}` } },
  });
  await eventually(() => activeAt !== undefined, { timeoutMs: 60_000, intervalMs: 5 });
  stop();
  return (activeAt ?? Number.NaN) - start;
};

/** Rotates under an operator that leads; a fresh Token after it shows that all before it in the queue was looked at. */
const rotateUnderOperator = async (world: World, namespace?: string): Promise<Rotation> => {
  const operator = await world.operator();
  try {
    await eventually(() => operator.log.some(({ message }) => message === 'controllers run'), {
      timeoutMs: 120_000,
    });
    const fresh = await openFreshTokens(world);
    await fresh.make();
    let writes = 0;
    const count = (): void => {
      writes += 1;
    };
    const paths = namespace === undefined ? [] : [tokensPath(namespace), secretsPath(namespace)];
    const stops = [];
    for (const path of paths) stops.push(await world.server.watch(path, count));
    const scrapes = scrapesOf(operator);
    await scrapes.longestBlockMs();
    const milliseconds = await rotate(world);
    await fresh.make();
    const blockedMs = await scrapes.longestBlockMs();
    for (const stop of [fresh.stop, ...stops]) stop();
    return { milliseconds, blockedMs, writes };
  } finally {
    await operator.stop();
  }
};

/** Measures. */
export const measureRotation = async (world: World): Promise<RotationRounds> => {
  const without = await rotateUnderOperator(world);
  const namespace = await makeReadyTokens(world, TOKENS);
  await writeBatchedRecords(world, { count: RECORDS, expiresIn: HOUR_SECONDS });
  const own = await rotateUnderOperator(world, namespace);
  note(
    `rotation without records ${without.milliseconds.toFixed(0)} ms, over ${RECORDS} ${own.milliseconds.toFixed(0)} ms`,
  );
  const seconds = await bareListSeconds(world);
  const gap = await measureGap(world, namespace);
  note(`gap: in step after ${gap.seconds.toFixed(1)} s`);
  await world.server.empty(TOKEN_BATCHES);
  await emptyTokens(world, namespace);
  return { without, own, gap, bareListSeconds: seconds };
};

/** What it says in the table. */
export const rotationFigures = ({ without, own, gap, bareListSeconds: bare }: RotationRounds): Figure[] => {
  const ratio = own.milliseconds / without.milliseconds;
  const over = `over ${RECORDS} batched records and ${TOKENS} Tokens`;
  return [
    {
      scenario: `rotation ${over}, until the new key is Active`,
      measured: `${own.milliseconds.toFixed(0)} ms`,
      limit: `without records: ${without.milliseconds.toFixed(0)} ms`,
      ratio,
      target: `≤ ${TARGET}`,
      pass: ratio <= TARGET,
    },
    {
      scenario: 'writes to Ready Tokens and their Secrets by a rotation',
      measured: String(own.writes),
      limit: '0',
      target: '0',
      pass: own.writes === 0,
    },
    blockFigure(`by a rotation ${over}`, { ms: own.blockedMs }),
    {
      scenario: `watch gap (410) ${over}, until in step`,
      measured: `${gap.seconds.toFixed(1)} s after the API server is back, ${gap.expired} watches listed again, ${gap.lost} records lost`,
      limit: `bare process that lists and parses the same: ${bare.toFixed(2)} s`,
      target: `≤ ${GAP_SECONDS} s, none lost`,
      pass: gap.seconds <= GAP_SECONDS && gap.lost === 0 && gap.expired > 0,
    },
    blockFigure(`by a watch gap ${over}`, { ms: gap.blockedMs }),
  ];
};
