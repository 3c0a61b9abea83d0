import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { batchedFigures, batchedPlots, measureBatched } from './batched.ts';
import { collectFigures, measureCollect } from './collect.ts';
import { declaredFigures, declaredPlots, measureDeclared } from './declared.ts';
import { deletedFigures, measureDeleted } from './deleted-tokens.ts';
import { grownFigures, measureGrown } from './grown.ts';
import { handedOutFigures, measureHandedOut } from './handed-out.ts';
import { httpFigures, measureHttp } from './http.ts';
import { listedFigures, listedPlots } from './listed-figures.ts';
import { measureListed } from './listed-tokens.ts';
import type { Plot } from './plots.ts';
import { measureRenewal, renewalFigures } from './renewal.ts';
import { type Figure, keep, print } from './report.ts';
import { restartFigures, restartOverReadyTokens } from './restart.ts';
import { measureRotation, rotationFigures } from './rotation.ts';
import { note, QUICK } from './scale.ts';
import { measureStart, RECORD_LOADS, readyLoad, startFigures, startPlots } from './start.ts';
import { createWorld, type World } from './world.ts';

/** `make bench`: the operator beside its limits, in alternating rounds of one run. Speed never fails it, errors do. `ONLY=a,b` runs those scenarios alone. */

const READY_TOKENS = QUICK ? 500 : 10_000;

/** What a scenario gives. */
interface Measured {
  readonly figures: readonly Figure[];
  readonly plots?: readonly Plot[];
  readonly raw: object;
}

type Scenario = (world: World) => Promise<Measured>;

/** Scenarios by name, in the order in which they run: each measures, and gives its rows of the table with what they are made from. */
const DOORS: Readonly<Record<string, Scenario>> = {
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
    return { figures: listedFigures(raw), plots: listedPlots(raw), raw };
  },
  deleted: async (world) => {
    const raw = await measureDeleted(world);
    return { figures: deletedFigures(raw), raw };
  },
  http: async (world) => {
    const raw = await measureHttp(world);
    return { figures: httpFigures(raw), raw };
  },
};

/** Those over a hundred thousand records, which they share. */
const RECORDS: Readonly<Record<string, Scenario>> = {
  start: async (world) => {
    const raw = await measureStart(world, RECORD_LOADS);
    return { figures: startFigures(RECORD_LOADS, raw), plots: startPlots(RECORD_LOADS, raw), raw };
  },
  grown: async (world) => {
    const raw = await measureGrown(world);
    return { figures: grownFigures(raw), raw };
  },
  rotation: async (world) => {
    const raw = await measureRotation(world);
    return { figures: rotationFigures(raw), raw };
  },
  collect: async (world) => {
    const raw = await measureCollect(world);
    return { figures: collectFigures(raw), raw };
  },
};

/** Those over declared Tokens, which they share. */
const TOKENS: Readonly<Record<string, Scenario>> = {
  declared: async (world) => {
    const raw = await measureDeclared(world);
    return { figures: declaredFigures(raw), plots: declaredPlots(raw), raw };
  },
  restart: async (world) => {
    const raw = await restartOverReadyTokens(world, READY_TOKENS);
    const loads = [readyLoad(READY_TOKENS)];
    const starts = await measureStart(world, loads);
    return { figures: [...restartFigures(raw), ...startFigures(loads, starts)], raw: { ...raw, starts } };
  },
  renewal: async (world) => {
    const raw = await measureRenewal(world);
    return { figures: renewalFigures(raw), raw };
  },
};

/** Each group has a world of its own: what the first leaves behind would weigh on the second. */
const GROUPS = [DOORS, RECORDS, TOKENS];

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
        await keep(figures, plots, raw);
      }
    } finally {
      await world.close();
    }
  }
  print(figures);
};

// Whatever was started ends with this process, by its hooks at exit.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));
await main();
