import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import {
  bareTwoWrites,
  type DeclaredRound,
  makeSample,
  operatorDrains,
  operatorLive,
} from './declared-tokens.ts';
import { type Figure, median, publish, spread } from './report.ts';
import { type RestartRound, restartOverReadyTokens } from './restart.ts';
import { createWorld, type World } from './world.ts';

/** `make bench`: the operator beside the API server's limit, in alternating rounds of one run. Speed never fails it, errors do. */

const QUICK = process.env.QUICK === '1';
const ROUNDS = QUICK ? 1 : 3;
const TOKENS = QUICK ? 500 : 2000;
const RESTART_TOKENS = QUICK ? 1000 : 10_000;
const TARGET = 0.6;

const note = (text: string): void => console.error(`[${new Date().toISOString().slice(11, 19)}] ${text}`);

interface Rates {
  readonly bare: number[];
  readonly drain: DeclaredRound[];
  readonly live: DeclaredRound[];
}

const measureDeclared = async (world: World): Promise<Rates> => {
  const sample = await makeSample(world);
  const rates: Rates = { bare: [], drain: [], live: [] };
  for (let round = 1; round <= ROUNDS; round += 1) {
    rates.bare.push(await bareTwoWrites(world, TOKENS, sample));
    note(`round ${round}/${ROUNDS}: bare loop ${rates.bare.at(-1)?.toFixed(0)} Tokens/s`);
    rates.drain.push(await operatorDrains(world, TOKENS));
    note(
      `round ${round}/${ROUNDS}: operator, Tokens waiting: ${rates.drain.at(-1)?.tokensPerSecond.toFixed(0)}/s`,
    );
    rates.live.push(await operatorLive(world, TOKENS));
    note(
      `round ${round}/${ROUNDS}: operator, Tokens arriving: ${rates.live.at(-1)?.tokensPerSecond.toFixed(0)}/s`,
    );
  }
  return rates;
};

const declaredFigures = ({ bare, drain, live }: Rates): Figure[] => {
  const drained = drain.map((round) => round.tokensPerSecond);
  const ratio = median(drained.map((rate, at) => rate / (bare[at] ?? Number.NaN)));
  const surplus = [...drain, ...live].reduce((sum, round) => sum + round.surplusWrites, 0);
  const limit = `bare undici loop, the same two writes: ${spread(bare, 'Tokens/s')}`;
  return [
    {
      scenario: `${TOKENS} declared Tokens to Ready`,
      measured: spread(drained, 'Tokens/s'),
      limit,
      ratio,
      target: `≥ ${TARGET}`,
      pass: ratio >= TARGET,
    },
    {
      scenario: `${TOKENS} Tokens, created while the operator works`,
      measured: spread(
        live.map((round) => round.tokensPerSecond),
        'Tokens/s',
      ),
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

const restartFigures = (round: RestartRound): Figure[] => [
  {
    scenario: `restart with ${round.tokens} Ready Tokens`,
    measured: `${round.writes} writes, ${round.issued} issued, ${round.secretReads} reads, ready after ${round.secondsToReady.toFixed(1)} s`,
    limit: '0 writes, 0 issued',
    target: 'nothing written, nothing issued',
    pass: round.writes === 0 && round.issued === 0,
  },
];

const main = async (): Promise<void> => {
  execFileSync('npm', ['run', '--silent', 'build'], {
    cwd: join(import.meta.dirname, '../..'),
    stdio: 'inherit',
  });
  note('starting a control plane');
  const world = await createWorld();
  try {
    const rates = await measureDeclared(world);
    note(`restart over ${RESTART_TOKENS} Ready Tokens`);
    const restart = await restartOverReadyTokens(world, RESTART_TOKENS);
    await publish([...declaredFigures(rates), ...restartFigures(restart)], { rates, restart });
  } finally {
    await world.close();
  }
};

await main();
