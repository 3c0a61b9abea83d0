import { decodeJwt } from 'jose';
import type { GrpcClient } from '../../support/grpc.ts';
import type { BenchEnv } from '../lib/bench-env.ts';
import { type CallRound, latencyText, ratesOf, timedCalls } from '../lib/latency.ts';
import { cpuSecondsOf, storageAtRest } from '../lib/processes.ts';
import { ISSUED_TOKENS } from '../lib/records.ts';
import { type Figure, median, medianRatio, reachFigure, spread } from '../lib/report.ts';
import { note, QUICK, ROUNDS } from '../lib/scale.ts';
import { createToken, operatorCreates, startServer } from '../lib/token-calls.ts';
import { IN_FLIGHT, type StoredObject } from '../limits/api-server.ts';
import { startBareRecording } from '../limits/bare-grpc.ts';
import { createCopy } from '../limits/copies.ts';

/**
 * CreateToken, beside a bare loop that creates the same objects, and beside a bare grpc-js unary that signs and creates them: the
 * first serves no gRPC call, which takes CPU of the same cores; the second shows how much of the difference that is.
 */

const CALLS = QUICK ? 500 : 3000;
const TARGET = 0.85;
const P99_TARGET = 2;
const CPU_MS = 0.45;

/** The record of a token, as the operator made it. */
const sampleRecord = async (env: BenchEnv, grpc: GrpcClient): Promise<StoredObject> => {
  const { jti } = decodeJwt(await createToken(grpc));
  return env.server.get(`${ISSUED_TOKENS}/${jti}`);
};

/** The limit: a bare loop that creates the same objects on the same API server, while the same replica watches. */
const bareCreates = (env: BenchEnv, count: number, sample: StoredObject): Promise<CallRound> =>
  timedCalls({ count, inFlight: IN_FLIGHT }, () => createCopy(env.server, sample));

/** Rounds of both limits and of the operator, in turn. */
export interface CreateTokenRounds {
  readonly bare: CallRound[];
  readonly unary: ServedRound[];
  readonly grpc: ServedRound[];
}

/** What callers saw, and the CPU time that the process they called took for a token, in milliseconds. */
interface ServedRound extends CallRound {
  readonly cpuMs: number;
}

const served = async (grpc: GrpcClient, pid: number): Promise<ServedRound> => {
  const before = await cpuSecondsOf(pid);
  const round = await operatorCreates(grpc, CALLS);
  return { ...round, cpuMs: (((await cpuSecondsOf(pid)) - before) * 1000) / CALLS };
};

/** Measures; the same replica runs, and the same watch is open, in all of them. */
export const measureCreateToken = async (env: BenchEnv): Promise<CreateTokenRounds> => {
  const { operator, grpc } = await startServer(env);
  const rounds: CreateTokenRounds = { bare: [], unary: [], grpc: [] };
  const sample = await sampleRecord(env, grpc);
  const unary = await startBareRecording(env.cluster.kubeconfigPath, sample);
  try {
    // Until the compilers have done with their code: it would be a tenth of the CPU.
    for (const warm of [grpc, unary.client]) await operatorCreates(warm, CALLS);
    const runs = [
      async () => rounds.bare.push(await bareCreates(env, CALLS, sample)),
      async () => rounds.unary.push(await served(unary.client, unary.pid)),
      async () => rounds.grpc.push(await served(grpc, operator.pid)),
    ];
    for (let round = 1; round <= ROUNDS; round += 1) {
      // The order alternates: a later run has more objects in storage.
      for (const run of round % 2 === 1 ? runs : runs.toReversed()) {
        await storageAtRest(env.cluster);
        await run();
      }
      const rates = [rounds.bare, rounds.unary, rounds.grpc].map((runs) => runs.at(-1)?.perSecond.toFixed(0));
      note(
        `round ${round}/${ROUNDS}: bare creates ${rates[0]}/s, by a bare unary ${rates[1]}/s, CreateToken ${rates[2]}/s`,
      );
      await env.server.empty(ISSUED_TOKENS);
    }
  } finally {
    unary.stop();
    grpc.close();
    await operator.stop();
  }
  return rounds;
};

/** What it says in the table. */
export const createTokenFigures = ({ bare, unary, grpc }: CreateTokenRounds): Figure[] => {
  const p99sOf = (rounds: readonly CallRound[]): number[] => rounds.map(({ p99Ms }) => p99Ms);
  const cpuOf = (rounds: readonly ServedRound[]): number[] => rounds.map(({ cpuMs }) => cpuMs);
  const slower = medianRatio(p99sOf(grpc), p99sOf(bare));
  const scenario = `CreateToken PerToken, ${IN_FLIGHT} in flight`;
  const limit = 'bare undici loop, the same objects';
  const unaryName = 'a bare grpc-js unary that signs and creates the same objects';
  const measured = `${spread(ratesOf(grpc), 'tokens/s')}, ${latencyText(grpc)}`;
  return [
    reachFigure({
      scenario,
      measured,
      limit: `${limit}: ${spread(ratesOf(bare), 'creates/s')}, ${latencyText(bare)}`,
      ratio: medianRatio(ratesOf(grpc), ratesOf(bare)),
      target: TARGET,
    }),
    {
      scenario: `${scenario}, beside ${unaryName}`,
      measured,
      limit: `${spread(ratesOf(unary), 'tokens/s')}, ${latencyText(unary)}; itself ${medianRatio(ratesOf(unary), ratesOf(bare)).toFixed(2)} of the bare loop`,
      ratio: medianRatio(ratesOf(grpc), ratesOf(unary)),
    },
    {
      scenario: `${scenario}: p99`,
      measured: `${median(p99sOf(grpc)).toFixed(0)} ms`,
      limit: `${limit}: ${median(p99sOf(bare)).toFixed(0)} ms`,
      ratio: slower,
      target: `≤ ${P99_TARGET}`,
      pass: slower <= P99_TARGET,
    },
    {
      scenario: `${scenario}: the operator's CPU`,
      measured: spread(cpuOf(grpc), 'ms a token'),
      limit: `${unaryName}: ${spread(cpuOf(unary), 'ms a token')}`,
      target: `≤ ${CPU_MS} ms a token`,
      pass: median(cpuOf(grpc)) <= CPU_MS,
    },
  ];
};
