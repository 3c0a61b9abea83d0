import { decodeJwt } from 'jose';
import { connectGrpc, type GrpcClient } from '../support/grpc.ts';
import type { OperatorProcess } from '../support/operator-process.ts';
import { IN_FLIGHT, type StoredObject } from './api-server.ts';
import { startBareRecording } from './bare-grpc.ts';
import { createCopy } from './copies.ts';
import { type CallRound, latencyText, ratesOf, timedCalls } from './latency.ts';
import { cpuSecondsOf, storageAtRest } from './processes.ts';
import { ISSUED_TOKENS } from './records.ts';
import { type Figure, median, medianRatio, reachFigure, spread } from './report.ts';
import { note, QUICK, ROUNDS } from './scale.ts';
import { AUDIENCE, CLIENT_SECRET, type World } from './world.ts';

/**
 * CreateToken, beside a bare loop that creates the same objects, and beside a bare grpc-js unary that signs and creates them: the
 * first has no call that asks for the token, which takes from the same cores; the second tells how much of the distance that is.
 */

const CALLS = QUICK ? 500 : 3000;
const TARGET = 0.85;
const P99_TARGET = 2;
const CPU_MS = 0.45;

/** What the bench's client asks for. */
export const REQUEST = {
  grantType: 'client_credentials',
  clientId: 'bench',
  clientSecret: CLIENT_SECRET,
  audience: [AUDIENCE],
  scope: ['read'],
};

/** A token over gRPC. */
export const createToken = async (door: GrpcClient): Promise<string> =>
  (await door.createToken(REQUEST)).accessToken;

/** The record of a token, as the operator made it. */
const sampleRecord = async (world: World, door: GrpcClient): Promise<StoredObject> => {
  const { jti } = decodeJwt(await createToken(door));
  return world.server.get(`${ISSUED_TOKENS}/${jti}`);
};

/** The limit: a bare loop that creates the same objects on the same API server, while the same replica looks on. */
const bareCreates = (world: World, count: number, sample: StoredObject): Promise<CallRound> =>
  timedCalls({ count, inFlight: IN_FLIGHT }, () => createCopy(world.server, sample));

/** CreateToken by one client over one connection. */
export const operatorCreates = (door: GrpcClient, count: number): Promise<CallRound> =>
  timedCalls({ count, inFlight: IN_FLIGHT }, () => createToken(door));

/** Some calls go on for as long as 10,000 writes take. */
const PATIENCE_MS = 300_000;

/** One replica, ready, and a connection to its gRPC door. */
export const startServer = async (world: World): Promise<{ operator: OperatorProcess; door: GrpcClient }> => {
  const operator = await world.operator();
  await operator.ready();
  return { operator, door: await connectGrpc(operator, PATIENCE_MS) };
};

/** Rounds of both limits and of the operator, in turn. */
export interface CreateTokenRounds {
  readonly bare: CallRound[];
  readonly unary: ServedRound[];
  readonly door: ServedRound[];
}

/** What callers saw, and the CPU time that the process they called took for a token, in milliseconds. */
interface ServedRound extends CallRound {
  readonly cpuMs: number;
}

const served = async (door: GrpcClient, pid: number): Promise<ServedRound> => {
  const before = await cpuSecondsOf(pid);
  const round = await operatorCreates(door, CALLS);
  return { ...round, cpuMs: (((await cpuSecondsOf(pid)) - before) * 1000) / CALLS };
};

/** Measures; the same replica runs, and the same watch looks on, in all of them. */
export const measureCreateToken = async (world: World): Promise<CreateTokenRounds> => {
  const { operator, door } = await startServer(world);
  const rounds: CreateTokenRounds = { bare: [], unary: [], door: [] };
  const sample = await sampleRecord(world, door);
  const unary = await startBareRecording(world.cluster.kubeconfigPath, sample);
  try {
    // Until the compilers have done with their code: it would be a tenth of the CPU.
    for (const warm of [door, unary.client]) await operatorCreates(warm, CALLS);
    const runs = [
      async () => rounds.bare.push(await bareCreates(world, CALLS, sample)),
      async () => rounds.unary.push(await served(unary.client, unary.pid)),
      async () => rounds.door.push(await served(door, operator.pid)),
    ];
    for (let round = 1; round <= ROUNDS; round += 1) {
      // Whoever comes later meets what the others left behind.
      for (const run of round % 2 === 1 ? runs : runs.toReversed()) {
        await storageAtRest(world.cluster);
        await run();
      }
      const rates = [rounds.bare, rounds.unary, rounds.door].map((runs) => runs.at(-1)?.perSecond.toFixed(0));
      note(
        `round ${round}/${ROUNDS}: bare creates ${rates[0]}/s, by a bare unary ${rates[1]}/s, CreateToken ${rates[2]}/s`,
      );
      await world.server.empty(ISSUED_TOKENS);
    }
  } finally {
    unary.stop();
    door.close();
    await operator.stop();
  }
  return rounds;
};

/** What it says in the table. */
export const createTokenFigures = ({ bare, unary, door }: CreateTokenRounds): Figure[] => {
  const p99sOf = (rounds: readonly CallRound[]): number[] => rounds.map(({ p99Ms }) => p99Ms);
  const cpuOf = (rounds: readonly ServedRound[]): number[] => rounds.map(({ cpuMs }) => cpuMs);
  const slower = medianRatio(p99sOf(door), p99sOf(bare));
  const scenario = `CreateToken PerToken, ${IN_FLIGHT} in flight`;
  const limit = 'bare undici loop, the same objects';
  const unaryName = 'a bare grpc-js unary that signs and creates the same objects';
  const measured = `${spread(ratesOf(door), 'tokens/s')}, ${latencyText(door)}`;
  return [
    reachFigure({
      scenario,
      measured,
      limit: `${limit}: ${spread(ratesOf(bare), 'creates/s')}, ${latencyText(bare)}`,
      ratio: medianRatio(ratesOf(door), ratesOf(bare)),
      target: TARGET,
    }),
    {
      scenario: `${scenario}, beside ${unaryName}`,
      measured,
      limit: `${spread(ratesOf(unary), 'tokens/s')}, ${latencyText(unary)}; itself ${medianRatio(ratesOf(unary), ratesOf(bare)).toFixed(2)} of the bare loop`,
      ratio: medianRatio(ratesOf(door), ratesOf(unary)),
    },
    {
      scenario: `${scenario}: p99`,
      measured: `${median(p99sOf(door)).toFixed(0)} ms`,
      limit: `${limit}: ${median(p99sOf(bare)).toFixed(0)} ms`,
      ratio: slower,
      target: `≤ ${P99_TARGET}`,
      pass: slower <= P99_TARGET,
    },
    {
      scenario: `${scenario}: the operator's CPU`,
      measured: spread(cpuOf(door), 'ms a token'),
      limit: `${unaryName}: ${spread(cpuOf(unary), 'ms a token')}`,
      target: `≤ ${CPU_MS} ms a token`,
      pass: median(cpuOf(door)) <= CPU_MS,
    },
  ];
};
