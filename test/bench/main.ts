import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { askedFigures, measureAsked } from './asked-at-scale.ts';
import { batchedFigures, batchedPlots, measureBatched } from './batched.ts';
import { collectFigures, measureCollect } from './collect.ts';
import {
  bareTwoWrites,
  type DeclaredRound,
  makeSample,
  operatorDrains,
  operatorLive,
} from './declared-tokens.ts';
import { deletedFigures, measureDeleted } from './deleted-tokens.ts';
import { handedOutFigures, measureHandedOut } from './handed-out.ts';
import { httpFigures, measureHttp } from './http.ts';
import { listedFigures } from './listed-figures.ts';
import { measureListed } from './listed-tokens.ts';
import type { Plot } from './plots.ts';
import { measureRenewal, renewalFigures } from './renewal.ts';
import { type Figure, median, publish, spread } from './report.ts';
import { type RestartRound, restartOverReadyTokens } from './restart.ts';
import { measureRotation, rotationFigures } from './rotation.ts';
import { note, QUICK, ROUNDS } from './scale.ts';
import { measureStart, startFigures } from './start.ts';
import { createWorld, type World } from './world.ts';

/** `make bench`: the operator beside its limits, in alternating rounds of one run. Speed never fails it, errors do. `ONLY=a,b` runs those scenarios alone. */

const TOKENS = QUICK ? 500 : 2000;
const RESTART_TOKENS = QUICK ? 1000 : 10_000;
const TARGET = 0.6;

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

/** What a scenario gives. */
interface Measured {
  readonly figures: readonly Figure[];
  readonly plots?: readonly Plot[];
  readonly raw: object;
}

type Scenario = (world: World) => Promise<Measured>;

/** Scenarios by name, in the order in which they run: each measures, and gives its rows of the table with what they are made from. */
const RATES: Readonly<Record<string, Scenario>> = {
  declared: async (world) => {
    const raw = await measureDeclared(world);
    return { figures: declaredFigures(raw), raw };
  },
  'handed-out': async (world) => {
    const raw = await measureHandedOut(world);
    return { figures: handedOutFigures(raw), raw };
  },
  batched: async (world) => {
    const raw = await measureBatched(world);
    return { figures: batchedFigures(raw), plots: batchedPlots(raw), raw };
  },
  listed: async (world) => {
    const raw = await measureListed(world);
    return { figures: listedFigures(raw), raw };
  },
  deleted: async (world) => {
    const raw = await measureDeleted(world);
    return { figures: deletedFigures(raw), raw };
  },
  http: async (world) => {
    const raw = await measureHttp(world);
    return { figures: httpFigures(raw), raw };
  },
  asked: async (world) => {
    const raw = await measureAsked(world);
    return { figures: askedFigures(raw), raw };
  },
  restart: async (world) => {
    const raw = await restartOverReadyTokens(world, RESTART_TOKENS);
    return { figures: restartFigures(raw), raw };
  },
};

/** Those over many records, which each takes away. */
const SCALE: Readonly<Record<string, Scenario>> = {
  start: async (world) => {
    const raw = await measureStart(world);
    return { figures: startFigures(raw), raw };
  },
  collect: async (world) => {
    const raw = await measureCollect(world);
    return { figures: collectFigures(raw), raw };
  },
  renewal: async (world) => {
    const raw = await measureRenewal(world);
    return { figures: renewalFigures(raw), raw };
  },
  rotation: async (world) => {
    const raw = await measureRotation(world);
    return { figures: rotationFigures(raw), raw };
  },
};

/** Each group has a world of its own: what the first leaves behind would weigh on the second. */
const GROUPS = [RATES, SCALE];

/** The names that `ONLY` says, or all. @throws Error for a name that is none */
const chosen = (): ReadonlySet<string> => {
  const known = GROUPS.flatMap((group) => Object.keys(group));
  const names = process.env.ONLY?.split(',') ?? known;
  const unknown = names.find((name) => !known.includes(name));
  if (unknown !== undefined) throw new Error(`ONLY knows ${known.join(', ')}, not ${unknown}`);
  return new Set(names);
};

const main = async (): Promise<void> => {
  const names = chosen();
  execFileSync('npm', ['run', '--silent', 'build'], {
    cwd: join(import.meta.dirname, '../..'),
    stdio: 'inherit',
  });
  const figures: Figure[] = [];
  const plots: Plot[] = [];
  const raw: Record<string, object> = {};
  for (const group of GROUPS) {
    const scenarios = Object.entries(group).filter(([name]) => names.has(name));
    if (scenarios.length === 0) continue;
    note('starting a control plane');
    const world = await createWorld();
    try {
      for (const [name, measure] of scenarios) {
        note(name);
        const found = await measure(world);
        figures.push(...found.figures);
        plots.push(...(found.plots ?? []));
        raw[name] = found.raw;
      }
    } finally {
      await world.close();
    }
  }
  await publish(figures, plots, raw);
};

await main();
