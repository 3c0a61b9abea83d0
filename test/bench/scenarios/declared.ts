import { type BenchEnv, emptyTokens } from '../lib/bench-env.ts';
import type { Plot } from '../lib/plots.ts';
import { DUE } from '../lib/ready-tokens.ts';
import { type Figure, growthFigure, median, medianRatio, reachFigure, spread } from '../lib/report.ts';
import { note, QUICK, ROUNDS } from '../lib/scale.ts';
import {
  bareTwoWrites,
  type DeclaredRound,
  makeSample,
  operatorDrains,
  operatorLive,
} from './declared-rounds.ts';

/** Declared Tokens to Ready, few and many, beside a bare loop of the same two writes before and after each run. */

const FEW = QUICK ? 250 : 1000;
const MANY = QUICK ? 500 : 10_000;
const LIVE = QUICK ? 250 : 2000;
/** Of the limit, where many are measured, in each of its halves. */
const BARE = Math.min(MANY, 2000);
const TARGET = 0.75;

/** Runs over so many Tokens; the limit was measured before the first and after each. */
interface Drained {
  readonly tokens: number;
  readonly bare: number[];
  readonly own: DeclaredRound[];
}

/** What was measured. */
export interface DeclaredRounds {
  readonly few: Drained;
  readonly many: Drained;
  readonly live: DeclaredRound;
}

type Sample = Awaited<ReturnType<typeof makeSample>>;

const measureFew = async (env: BenchEnv, sample: Sample): Promise<Drained> => {
  const bare = [await bareTwoWrites(env, FEW, sample)];
  const own: DeclaredRound[] = [];
  for (let round = 1; round <= ROUNDS; round += 1) {
    own.push(await operatorDrains(env, FEW));
    bare.push(await bareTwoWrites(env, FEW, sample));
    note(
      `${FEW} Tokens, round ${round}/${ROUNDS}: operator ${own.at(-1)?.tokensPerSecond.toFixed(0)}/s, bare ${bare.at(-1)?.toFixed(0)}/s`,
    );
  }
  return { tokens: FEW, bare, own };
};

/** They stay, for other scenarios. */
const measureMany = async (env: BenchEnv, sample: Sample): Promise<Drained> => {
  await emptyTokens(env, DUE);
  const before = await bareTwoWrites(env, BARE, sample);
  const own = [await operatorDrains(env, MANY, DUE)];
  const bare = [before, await bareTwoWrites(env, BARE, sample)];
  note(`${MANY} Tokens: operator ${own[0]?.tokensPerSecond.toFixed(0)}/s, bare ${spread(bare, 'Tokens/s')}`);
  return { tokens: MANY, bare, own };
};

/** Measures. */
export const measureDeclared = async (env: BenchEnv): Promise<DeclaredRounds> => {
  const sample = await makeSample(env);
  const few = await measureFew(env, sample);
  const live = await operatorLive(env, LIVE);
  return { few, live, many: await measureMany(env, sample) };
};

const rates = (rounds: readonly DeclaredRound[]): number[] =>
  rounds.map(({ tokensPerSecond }) => tokensPerSecond);

const drainedFigure = ({ tokens, bare, own }: Drained): Figure => {
  const limits = rates(own).map((_, at) => median([bare[at] ?? Number.NaN, bare[at + 1] ?? Number.NaN]));
  return reachFigure({
    scenario: `${tokens} declared Tokens to Ready`,
    measured: spread(rates(own), 'Tokens/s'),
    limit: `bare undici loop, the same two writes: ${spread(bare, 'Tokens/s')}`,
    ratio: medianRatio(rates(own), limits),
    target: TARGET,
  });
};

/** What it says in the table. */
export const declaredFigures = ({ few, many, live }: DeclaredRounds): Figure[] => {
  const surplus = [...few.own, ...many.own, live].reduce((sum, round) => sum + round.surplusWrites, 0);
  const growth = ({ bare, own }: Drained): number => median(bare) / median(rates(own));
  return [
    drainedFigure(few),
    drainedFigure(many),
    growthFigure({
      scenario: `${MANY} declared Tokens to Ready: time each beside the limit's, over that of ${FEW}`,
      measured: `${growth(many).toFixed(2)} times the limit's`,
      limit: `${growth(few).toFixed(2)} times the limit's`,
      ratio: growth(many) / growth(few),
    }),
    {
      scenario: `${LIVE} Tokens, created while the operator works`,
      measured: `${live.tokensPerSecond.toFixed(0)} Tokens/s`,
      limit: 'their creation takes from the same API server',
      target: 'all Ready',
      pass: true,
    },
    {
      scenario: 'writes beyond two a Token',
      measured: String(surplus),
      limit: '0',
      target: '0',
      pass: surplus === 0,
    },
  ];
};

/** How the rate goes with how many there are. */
export const declaredPlots = ({ few, many }: DeclaredRounds): Plot[] => [
  {
    name: 'declared-rate',
    title: 'Declared Tokens to Ready',
    x: 'Tokens',
    y: 'Tokens/s',
    lines: [
      {
        name: 'operator',
        points: [few, many].map(({ tokens, own }) => [tokens, median(rates(own))] as const),
      },
      { name: 'bare', points: [few, many].map(({ tokens, bare }) => [tokens, median(bare)] as const) },
    ],
  },
];
