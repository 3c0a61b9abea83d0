import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { type BenchEnv, createBenchEnv } from './lib/bench-env.ts';
import type { Plot } from './lib/plots.ts';
import { type Figure, keep, print } from './lib/report.ts';
import { note, QUICK } from './lib/scale.ts';
import { batchedFigures, batchedPlots, measureBatched } from './scenarios/batched.ts';
import { createTokenFigures, measureCreateToken } from './scenarios/create-token.ts';
import { declaredFigures, declaredPlots, measureDeclared } from './scenarios/declared.ts';
import { deletedFigures, measureDeleted } from './scenarios/delete-tokens.ts';
import { collectFigures, measureCollect } from './scenarios/garbage-collection.ts';
import { measureListed } from './scenarios/get-tokens.ts';
import { listedFigures, listedPlots } from './scenarios/get-tokens-figures.ts';
import { httpFigures, measureHttp } from './scenarios/http.ts';
import { grownFigures, measureGrown } from './scenarios/many-records.ts';
import { measureRenewal, renewalFigures } from './scenarios/renewal.ts';
import { restartFigures, restartOverReadyTokens } from './scenarios/restart.ts';
import { measureRotation, rotationFigures } from './scenarios/rotation.ts';
import { measureStart, RECORD_LOADS, readyLoad, startFigures, startPlots } from './scenarios/start.ts';

/** `make bench`: the operator beside its limits, in alternating rounds of one run. Speed never fails it, errors do. `ONLY=a,b` runs those scenarios alone. */

const READY_TOKENS = QUICK ? 500 : 10_000;

/** What a scenario gives. */
interface Measured {
  readonly figures: readonly Figure[];
  readonly plots: readonly Plot[];
  readonly raw: object;
}

type Scenario = (env: BenchEnv) => Promise<Measured>;

/** A scenario of a function that measures, and functions that make rows and plots of that. */
const scenario =
  <R extends object>(
    measure: (env: BenchEnv) => Promise<R>,
    figuresOf: (raw: R) => readonly Figure[],
    plotsOf: (raw: R) => readonly Plot[] = () => [],
  ): Scenario =>
  async (env) => {
    const raw = await measure(env);
    return { figures: figuresOf(raw), plots: plotsOf(raw), raw };
  };

const READY_LOADS = [readyLoad(READY_TOKENS)];

const measureRestart = async (env: BenchEnv) => ({
  round: await restartOverReadyTokens(env, READY_TOKENS),
  starts: await measureStart(env, READY_LOADS),
});

/** Scenarios by name, in the order in which they run. */
type Group = Readonly<Record<string, Scenario>>;

const API_CALLS: Group = {
  'create-token': scenario(measureCreateToken, createTokenFigures),
  batched: scenario(measureBatched, batchedFigures, batchedPlots),
  listed: scenario(measureListed, listedFigures, listedPlots),
  deleted: scenario(measureDeleted, deletedFigures),
  http: scenario(measureHttp, httpFigures),
};

/** Those over a hundred thousand records, which they share. */
const RECORDS: Group = {
  start: scenario(
    (env) => measureStart(env, RECORD_LOADS),
    (raw) => startFigures(RECORD_LOADS, raw),
    (raw) => startPlots(RECORD_LOADS, raw),
  ),
  grown: scenario(measureGrown, grownFigures),
  rotation: scenario(measureRotation, rotationFigures),
  collect: scenario(measureCollect, collectFigures),
};

/** Those over declared Tokens, which they share. */
const TOKENS: Group = {
  declared: scenario(measureDeclared, declaredFigures, declaredPlots),
  restart: scenario(measureRestart, ({ round, starts }) => [
    ...restartFigures(round),
    ...startFigures(READY_LOADS, starts),
  ]),
  renewal: scenario(measureRenewal, renewalFigures),
};

/** Each group has its own control plane: objects that one leaves behind would slow down the next. */
const GROUPS = [API_CALLS, RECORDS, TOKENS];

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
    const env = await createBenchEnv();
    try {
      for (const [name, measure] of scenarios) {
        note(name);
        const found = await measure(env);
        figures.push(...found.figures);
        plots.push(...found.plots);
        raw[name] = found.raw;
        await keep(figures, plots, raw);
      }
    } finally {
      await env.close();
    }
  }
  print(figures);
};

// Whatever was started ends with this process, by its hooks at exit.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));
await main();
