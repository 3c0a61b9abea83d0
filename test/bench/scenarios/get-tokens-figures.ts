import { RECORDINGS } from '../lib/owner.ts';
import type { Plot } from '../lib/plots.ts';
import { type Figure, growthFigure, median, medianRatio, reachFigure, spread } from '../lib/report.ts';
import type { ListedRounds, ListRun } from './get-tokens.ts';

/** What GetTokens of few and of many tokens says in the table. */

const RATE_TARGET = 0.8;
const FIRST_MS = 50;
const RISEN_MIB = 32;

const KINDS = { PerToken: 'IssuedTokens', Batched: 'TokenBatches' } as const;

const scenarioOf = ({ tokens, recording }: ListedRounds): string =>
  `GetTokens of ${tokens} tokens in ${KINDS[recording]}`;

const rates = (runs: readonly ListRun[]): number[] => runs.map(({ perSecond }) => perSecond);

const rateFigure = (rounds: ListedRounds): Figure => {
  const [own, bare] = [rates(rounds.own), rates(rounds.bare)];
  return reachFigure({
    scenario: scenarioOf(rounds),
    measured: spread(own, 'messages/s'),
    limit: `bare grpc-js stream of the same messages: ${spread(bare, 'messages/s')}`,
    ratio: medianRatio(own, bare),
    target: RATE_TARGET,
  });
};

const firstText = (runs: readonly ListRun[]): string => {
  const slowest = Math.max(...runs.map(({ slowestFirstMs }) => slowestFirstMs));
  return `p50 ${median(runs.map(({ firstMs }) => firstMs)).toFixed(1)} ms, slowest ${slowest.toFixed(1)} ms`;
};

const firstFigure = (rounds: ListedRounds): Figure => ({
  scenario: `${scenarioOf(rounds)}: its first message`,
  measured: firstText(rounds.own),
  limit: `bare stream: ${firstText(rounds.bare)}`,
  target: `p50 ≤ ${FIRST_MS} ms`,
  pass: median(rounds.own.map(({ firstMs }) => firstMs)) <= FIRST_MS,
});

const memoryFigure = (rounds: ListedRounds): Figure => {
  const bare = rounds.bare.map(({ risenMiB }) => risenMiB);
  return {
    scenario: `${scenarioOf(rounds)}: resident memory above that before the call`,
    measured: spread(rounds.risenMiB, 'MiB'),
    limit: `bare stream: ${spread(bare, 'MiB')}`,
    target: `≤ ${RISEN_MIB} MiB at its highest`,
    pass: Math.max(...rounds.risenMiB) <= RISEN_MIB,
  };
};

/** How much longer a token takes among the most than among the fewest, beside how much longer it takes the bare stream. */
const listedGrowth = (fewest: ListedRounds, most: ListedRounds): Figure => {
  const growth = (runs: 'own' | 'bare'): number => median(rates(fewest[runs])) / median(rates(most[runs]));
  return growthFigure({
    scenario: `${scenarioOf(most)}: time a token, over that of ${fewest.tokens}`,
    measured: `${growth('own').toFixed(2)} times`,
    limit: `bare stream: ${growth('bare').toFixed(2)} times`,
    ratio: growth('own') / growth('bare'),
  });
};

/** Rows by size, then how they grow. */
export const listedFigures = (all: readonly ListedRounds[]): Figure[] => {
  const figures = all.flatMap((rounds) => [rateFigure(rounds), firstFigure(rounds), memoryFigure(rounds)]);
  for (const recording of RECORDINGS) {
    const own = all.filter((rounds) => rounds.recording === recording);
    const [fewest, most] = [own[0], own.at(-1)];
    if (fewest && most && fewest !== most) figures.push(listedGrowth(fewest, most));
  }
  return figures;
};

/** How the rate goes with how many tokens an owner has. */
export const listedPlots = (all: readonly ListedRounds[]): Plot[] => {
  const lines = RECORDINGS.flatMap((recording) => {
    const own = all.filter((rounds) => rounds.recording === recording);
    return (['own', 'bare'] as const).map((side) => ({
      name: `${side === 'own' ? 'GetTokens' : 'bare stream'}, ${KINDS[recording]}`,
      points: own.map((rounds) => [rounds.tokens, median(rates(rounds[side]))] as const),
    }));
  });
  return [
    { name: 'get-tokens-rate', title: 'GetTokens: messages a second', x: 'tokens', y: 'messages/s', lines },
  ];
};
