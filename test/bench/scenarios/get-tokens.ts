import { eventually } from '../../support/eventually.ts';
import type { GrpcClient } from '../../support/grpc.ts';
import type { OperatorProcess } from '../../support/operator-process.ts';
import type { BenchEnv } from '../lib/bench-env.ts';
import { makeOwner, type Owner, RECORDINGS, type Recording } from '../lib/owner.ts';
import { risenMiB } from '../lib/processes.ts';
import { ISSUED_TOKENS, TOKEN_BATCHES } from '../lib/records.ts';
import { median } from '../lib/report.ts';
import { note, QUICK, ROUNDS } from '../lib/scale.ts';
import { startServer } from '../lib/token-calls.ts';
import { startBareStream } from '../limits/bare-grpc.ts';

/** GetTokens of an owner's tokens, few and many, beside a bare stream of the same messages. */

const SIZES: Readonly<Record<Recording, readonly number[]>> = QUICK
  ? { PerToken: [500, 1000], Batched: [500, 2000] }
  : { PerToken: [1000, 10_000], Batched: [1000, 10_000, 100_000] };
/** Messages of a run, where a single call has not as many. */
const MESSAGES = QUICK ? 4000 : 20_000;

/** Calls of one run, one after another. */
export interface ListRun {
  readonly perSecond: number;
  /** From a call's begin to its first message: the median, and the longest. */
  readonly firstMs: number;
  readonly slowestFirstMs: number;
  /** By how much the resident memory of the server that was called rose meanwhile. */
  readonly risenMiB: number;
}

/** What was measured of one owner. */
export interface ListedRounds {
  readonly recording: Recording;
  readonly tokens: number;
  readonly bare: ListRun[];
  readonly own: ListRun[];
  /** By how much the operator's resident memory rose in each run, that to warm up too. */
  readonly risenMiB: number[];
}

interface Server {
  readonly client: GrpcClient;
  readonly pid: number;
}

/** Calls one after another, so that each has the machine for itself; each has to give every message. */
const runOf = async ({ client, pid }: Server, authorization: string, tokens: number): Promise<ListRun> => {
  const calls = Math.ceil(MESSAGES / tokens);
  const firsts: number[] = [];
  let seconds = 0;
  const call = async (): Promise<void> => {
    const began = performance.now();
    const found = await client.countTokens(authorization, () => firsts.push(performance.now() - began));
    seconds += (performance.now() - began) / 1000;
    if (found !== tokens) throw new Error(`${found} tokens came, not ${tokens}`);
  };
  const risen = await risenMiB(pid, async () => {
    for (let at = 0; at < calls; at += 1) await call();
  });
  return {
    perSecond: (calls * tokens) / seconds,
    firstMs: median(firsts),
    slowestFirstMs: Math.max(...firsts),
    risenMiB: risen,
  };
};

interface ListedOwner {
  readonly operator: OperatorProcess;
  readonly grpc: GrpcClient;
  readonly owner: Owner;
  readonly recording: Recording;
}

const measureSize = async (listed: ListedOwner, tokens: number): Promise<ListedRounds> => {
  const { operator, grpc, recording } = listed;
  const { authorization } = listed.owner;
  const bare = await startBareStream(await grpc.getTokens(authorization));
  const rounds: ListedRounds = { recording, tokens, bare: [], own: [], risenMiB: [] };
  try {
    for (let round = 0; round <= ROUNDS; round += 1) {
      const limit = await runOf(bare, authorization, tokens);
      const own = await runOf({ client: grpc, pid: operator.pid }, authorization, tokens);
      rounds.risenMiB.push(own.risenMiB);
      // The first is for both to warm up.
      if (round === 0) continue;
      rounds.bare.push(limit);
      rounds.own.push(own);
      note(
        `${tokens} ${recording}, round ${round}/${ROUNDS}: bare stream ${limit.perSecond.toFixed(0)} messages/s, GetTokens ${own.perSecond.toFixed(0)}/s`,
      );
    }
  } finally {
    bare.stop();
  }
  return rounds;
};

/** Each owner's tokens grow from one size to the next; the issued one is among them. */
const measureOwner = async (env: BenchEnv, listed: ListedOwner): Promise<ListedRounds[]> => {
  const { grpc, owner, recording } = listed;
  const all: ListedRounds[] = [];
  let there = 1;
  for (const tokens of SIZES[recording]) {
    await owner.fill(tokens - there);
    there = tokens;
    await eventually(async () => (await grpc.countTokens(owner.authorization)) === tokens, {
      timeoutMs: 60_000,
    });
    all.push(await measureSize(listed, tokens));
  }
  await env.server.empty(recording === 'PerToken' ? ISSUED_TOKENS : TOKEN_BATCHES);
  return all;
};

/** Measures both ways of recording, each with another owner; its records are deleted when the next begins. */
export const measureListed = async (env: BenchEnv): Promise<ListedRounds[]> => {
  const { operator, grpc } = await startServer(env);
  const all: ListedRounds[] = [];
  try {
    for (const recording of RECORDINGS) {
      const owner = await makeOwner(env, grpc, { name: `listed-${recording.toLowerCase()}`, recording });
      all.push(...(await measureOwner(env, { operator, grpc, owner, recording })));
    }
  } finally {
    grpc.close();
    await operator.stop();
  }
  return all;
};
