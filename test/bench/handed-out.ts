import { randomUUID } from 'node:crypto';
import { decodeJwt } from 'jose';
import { connectGrpc, type GrpcClient } from '../support/grpc.ts';
import type { OperatorProcess } from '../support/operator-process.ts';
import { IN_FLIGHT, type StoredObject } from './api-server.ts';
import { type CallRound, latencyText, timedCalls } from './latency.ts';
import { ISSUED_TOKENS } from './records.ts';
import { type Figure, median, spread } from './report.ts';
import { note, QUICK, ROUNDS } from './scale.ts';
import { AUDIENCE, CLIENT_SECRET, type World } from './world.ts';

/** CreateToken, beside a bare loop that creates the same objects. */

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
export const sampleRecord = async (world: World, door: GrpcClient): Promise<StoredObject> => {
  const { jti } = decodeJwt(await createToken(door));
  return world.server.get(`${ISSUED_TOKENS}/${jti}`);
};

/** The same object under another name, as a create takes it. */
export const copyOf = ({ apiVersion, kind, metadata, spec }: StoredObject): StoredObject => {
  const { namespace, labels } = metadata as unknown as { namespace: string; labels?: object };
  return {
    apiVersion,
    kind,
    metadata: { name: randomUUID(), namespace, ...(labels && { labels }) },
    spec,
  } as unknown as StoredObject;
};

/** One create of a copy, as the bare loops make it; the stored object. */
export const createCopy = ({ server }: World, sample: StoredObject): Promise<StoredObject> =>
  server.write('POST', `${ISSUED_TOKENS}?fieldManager=bare&fieldValidation=Strict`, copyOf(sample));

/** The limit: a bare loop that creates the same objects on the same API server, while the same replica looks on. */
export const bareCreates = (world: World, count: number, sample: StoredObject): Promise<CallRound> =>
  timedCalls({ count, inFlight: IN_FLIGHT }, () => createCopy(world, sample));

/** CreateToken by one client over one connection. */
export const operatorCreates = (door: GrpcClient, count: number): Promise<CallRound> =>
  timedCalls({ count, inFlight: IN_FLIGHT }, () => createToken(door));

/** Some calls go on for as long as 10,000 writes take. */
const PATIENCE_MS = 300_000;

/** One replica, ready, and a connection to its gRPC door. */
export const openDoor = async (world: World): Promise<{ operator: OperatorProcess; door: GrpcClient }> => {
  const operator = await world.operator();
  await operator.ready();
  return { operator, door: await connectGrpc(operator, PATIENCE_MS) };
};

/** Rounds of the limit and of the operator, in turn. */
export interface HandedOutRounds {
  readonly bare: CallRound[];
  readonly door: CallRound[];
  /** The operator's own CPU time for a token, in milliseconds. */
  readonly cpuMs: number[];
}

/** Measures; the same replica runs, and the same watch looks on, in both. */
export const measureHandedOut = async (world: World): Promise<HandedOutRounds> => {
  const { operator, door } = await openDoor(world);
  const rounds: HandedOutRounds = { bare: [], door: [], cpuMs: [] };
  const cpuSeconds = (): Promise<number> => operator.metric('process_cpu_seconds_total');
  try {
    const sample = await sampleRecord(world, door);
    // Until the compiler has done with the operator's code: it would be a tenth of its CPU.
    await operatorCreates(door, CALLS);
    for (let round = 1; round <= ROUNDS; round += 1) {
      rounds.bare.push(await bareCreates(world, CALLS, sample));
      const before = await cpuSeconds();
      rounds.door.push(await operatorCreates(door, CALLS));
      rounds.cpuMs.push((((await cpuSeconds()) - before) * 1000) / CALLS);
      const [limit, own] = [rounds.bare.at(-1), rounds.door.at(-1)];
      note(
        `round ${round}/${ROUNDS}: bare creates ${limit?.perSecond.toFixed(0)}/s, CreateToken ${own?.perSecond.toFixed(0)}/s`,
      );
      await world.server.empty(ISSUED_TOKENS);
    }
  } finally {
    door.close();
    await operator.stop();
  }
  return rounds;
};

/** What it says in the table. */
export const handedOutFigures = ({ bare, door, cpuMs }: HandedOutRounds): Figure[] => {
  const rates = (rounds: readonly CallRound[]): number[] => rounds.map(({ perSecond }) => perSecond);
  const ratio = median(rates(door).map((rate, at) => rate / (rates(bare)[at] ?? Number.NaN)));
  const p99 = (rounds: readonly CallRound[]): number => median(rounds.map(({ p99Ms }) => p99Ms));
  const slower = median(door.map(({ p99Ms }, at) => p99Ms / (bare[at]?.p99Ms ?? Number.NaN)));
  const scenario = `CreateToken PerToken, ${IN_FLIGHT} in flight`;
  const limit = 'bare undici loop, the same objects';
  return [
    {
      scenario,
      measured: `${spread(rates(door), 'tokens/s')}, ${latencyText(door)}`,
      limit: `${limit}: ${spread(rates(bare), 'creates/s')}, ${latencyText(bare)}`,
      ratio,
      target: `≥ ${TARGET}`,
      pass: ratio >= TARGET,
    },
    {
      scenario: `${scenario}: p99`,
      measured: `${p99(door).toFixed(0)} ms`,
      limit: `${limit}: ${p99(bare).toFixed(0)} ms`,
      ratio: slower,
      target: `≤ ${P99_TARGET}`,
      pass: slower <= P99_TARGET,
    },
    {
      scenario: `${scenario}: the operator's CPU`,
      measured: spread(cpuMs, 'ms a token'),
      limit: '',
      target: `≤ ${CPU_MS} ms a token`,
      pass: median(cpuMs) <= CPU_MS,
    },
  ];
};
