import type { GrpcClient } from '../../support/grpc.ts';
import type { BenchEnv } from '../lib/bench-env.ts';
import { type CallRound, latencyText, ratesOf, timedCalls } from '../lib/latency.ts';
import { registerClient } from '../lib/owner.ts';
import type { Plot } from '../lib/plots.ts';
import { cpuSecondsOf, storageAtRest, storageCpuSeconds } from '../lib/processes.ts';
import { ISSUED_TOKENS, TOKEN_BATCHES } from '../lib/records.ts';
import { type Figure, median, medianRatio, reachFigure, spread } from '../lib/report.ts';
import { note, QUICK, ROUNDS } from '../lib/scale.ts';
import { REQUEST, startServer } from '../lib/token-calls.ts';
import { IN_FLIGHT } from '../limits/api-server.ts';
import { startBareUnary } from '../limits/bare-grpc.ts';

/** CreateToken with records in TokenBatches, beside one that signs and records nothing, and beside IssuedTokens. */

const LEVELS: readonly number[] = QUICK ? [1, 64] : [1, 8, 32, 64, 128];
/** Where the targets hold. */
const MANY = 64;
const CALLS = QUICK ? 500 : 3000;

/** One run: what callers saw, and the CPU that it took. */
interface Run extends CallRound {
  /** Of the server that was called, in milliseconds a token. */
  readonly serverMs: number;
  /** Of the API server and etcd. */
  readonly storageMs: number;
}

interface Candidate {
  readonly name: 'bare' | 'PerToken' | 'Batched';
  readonly grpc: GrpcClient;
  readonly pid: number;
  readonly clientId: string;
}

type Runs = Record<Candidate['name'], Run[]>;

/** What was measured, by calls in flight. */
export interface BatchedRounds {
  readonly byLevel: Readonly<Record<string, Runs>>;
  /** Bytes of JSON that the API server answers for a token, and records in an object. */
  readonly stored: { readonly bytes: number; readonly records: number };
}

/**
 * At one call in flight fewer calls take as long; in many short laps, since what else goes on would decide otherwise. Half as many where
 * nothing is near its target.
 */
const LAPS_ALONE = 16;
const callsAt = (inFlight: number): number => {
  if (inFlight === 1) return Math.ceil(CALLS / (4 * LAPS_ALONE));
  return inFlight === MANY ? CALLS : CALLS / 2;
};
const lapsAt = (inFlight: number): number => (inFlight === 1 ? LAPS_ALONE : 1);

const run = async (env: BenchEnv, { grpc, pid, clientId }: Candidate, inFlight: number): Promise<Run> => {
  const count = callsAt(inFlight);
  const request = { ...REQUEST, clientId };
  // One call at a time leaves nothing behind that others would notice, and takes many laps.
  if (inFlight > 1) await storageAtRest(env.cluster);
  const before = [await cpuSecondsOf(pid), await storageCpuSeconds(env.cluster)] as const;
  const round = await timedCalls({ count, inFlight }, () => grpc.createToken(request));
  const [server, storage] = [await cpuSecondsOf(pid), await storageCpuSeconds(env.cluster)];
  const each = (after: number, earlier: number): number => ((after - earlier) * 1000) / count;
  return { ...round, serverMs: each(server, before[0]), storageMs: each(storage, before[1]) };
};

const storedBytes = async (env: BenchEnv): Promise<BatchedRounds['stored']> => {
  const { items } = await env.server.get(`${TOKEN_BATCHES}?limit=500`);
  const records = items.reduce((sum: number, { spec }: { spec: { count: number } }) => sum + spec.count, 0);
  return { bytes: Buffer.byteLength(JSON.stringify(items)) / records, records: records / items.length };
};

const lastRates = (runs: Runs): string =>
  Object.entries(runs)
    .map(([name, all]) => `${name} ${all.at(-1)?.perSecond.toFixed(0)}/s`)
    .join(', ');

/** Measures every level in turn, each round all candidates one after the other. */
export const measureBatched = async (env: BenchEnv): Promise<BatchedRounds> => {
  const { operator, grpc } = await startServer(env);
  const bare = await startBareUnary();
  const byLevel: Record<string, Runs> = {};
  let stored = { bytes: Number.NaN, records: Number.NaN };
  try {
    await registerClient(env, { name: 'batched', owner: 'bench', recording: 'Batched' });
    const candidates: Candidate[] = [
      { name: 'bare', grpc: bare.client, pid: bare.pid, clientId: 'bench' },
      { name: 'PerToken', grpc, pid: operator.pid, clientId: 'bench' },
      { name: 'Batched', grpc, pid: operator.pid, clientId: 'batched' },
    ];
    for (const candidate of candidates) await run(env, candidate, IN_FLIGHT);
    for (let round = 1; round <= ROUNDS; round += 1) {
      for (const level of LEVELS) {
        byLevel[level] ??= { bare: [], PerToken: [], Batched: [] };
        const runs = byLevel[level];
        for (let lap = 1; lap <= lapsAt(level); lap += 1) {
          // The order alternates: a later run has more objects in storage.
          for (const candidate of lap % 2 === round % 2 ? candidates : candidates.toReversed()) {
            runs[candidate.name].push(await run(env, candidate, level));
          }
        }
        if (level === MANY) stored = await storedBytes(env);
        note(`round ${round}/${ROUNDS}, ${level} in flight: ${lastRates(runs)}`);
        await env.server.empty(ISSUED_TOKENS);
        await env.server.empty(TOKEN_BATCHES);
      }
    }
  } finally {
    bare.stop();
    grpc.close();
    await operator.stop();
  }
  return { byLevel, stored };
};

const textOf = (runs: readonly Run[]): string => {
  const [server, storage] = [
    median(runs.map((one) => one.serverMs)),
    median(runs.map((one) => one.storageMs)),
  ];
  return `${spread(ratesOf(runs), 'tokens/s')}, ${latencyText(runs)}, CPU a token ${server.toFixed(2)} ms, of API server and etcd ${storage.toFixed(2)} ms`;
};

const compared = (
  scenario: string,
  [own, ownName]: readonly [readonly Run[], string],
  [limit, limitName]: readonly [readonly Run[], string],
  target: number,
): Figure =>
  reachFigure({
    scenario,
    measured: `${ownName}: ${textOf(own)}`,
    limit: `${limitName}: ${textOf(limit)}`,
    ratio: medianRatio(ratesOf(own), ratesOf(limit)),
    target,
  });

/** What it says in the table. */
export const batchedFigures = ({ byLevel, stored }: BatchedRounds): Figure[] => {
  const at = (level: number): Runs => byLevel[level] ?? { bare: [], PerToken: [], Batched: [] };
  const [one, many] = [at(1), at(MANY)];
  const storageMs = median(many.Batched.map((found) => found.storageMs));
  const bare = 'bare grpc-js unary that signs alone';
  const figures: Figure[] = [
    compared(
      `CreateToken Batched, ${MANY} in flight, beside one that records nothing`,
      [many.Batched, 'Batched'],
      [many.bare, bare],
      0.6,
    ),
    compared(
      `CreateToken Batched, ${MANY} in flight, beside PerToken`,
      [many.Batched, 'Batched'],
      [many.PerToken, 'PerToken'],
      5,
    ),
    compared('CreateToken, 1 in flight', [one.Batched, 'Batched'], [one.PerToken, 'PerToken'], 1),
    {
      scenario: `CPU of API server and etcd, Batched, ${MANY} in flight`,
      measured: `${storageMs.toFixed(3)} ms a token`,
      limit: `PerToken: ${median(many.PerToken.map((found) => found.storageMs)).toFixed(2)} ms`,
      target: '≤ 0.1 ms a token',
      pass: storageMs <= 0.1,
    },
    {
      scenario: `bytes stored, Batched, ${MANY} in flight`,
      measured: `${stored.bytes.toFixed(0)} a token, ${stored.records.toFixed(1)} records an object`,
      limit: '',
      target: '≤ 350 a token',
      pass: stored.bytes <= 350,
    },
  ];
  for (const level of LEVELS.filter((each) => each !== 1 && each !== MANY)) {
    const { Batched, PerToken } = at(level);
    figures.push(
      compared(`CreateToken, ${level} in flight`, [Batched, 'Batched'], [PerToken, 'PerToken'], 1),
    );
  }
  return figures;
};

/** How rate and cost go with the calls in flight. */
export const batchedPlots = ({ byLevel }: BatchedRounds): Plot[] => {
  const line = (name: Candidate['name'], value: (run: Run) => number) => ({
    name,
    points: LEVELS.map((level) => [level, median((byLevel[level]?.[name] ?? []).map(value))] as const),
  });
  return [
    {
      name: 'create-token-rate',
      title: 'CreateToken: tokens a second',
      x: 'calls in flight',
      y: 'tokens/s',
      lines: (['bare', 'Batched', 'PerToken'] as const).map((name) => line(name, (run) => run.perSecond)),
    },
    {
      name: 'create-token-storage',
      title: 'CreateToken: CPU of API server and etcd',
      x: 'calls in flight',
      y: 'ms a token',
      lines: (['Batched', 'PerToken'] as const).map((name) => line(name, (run) => run.storageMs)),
    },
  ];
};
