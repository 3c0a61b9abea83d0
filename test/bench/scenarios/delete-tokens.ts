import { blacklistedStatus } from '../../../operator/domain/record/issued-token-plan.ts';
import { WORKERS } from '../../../operator/issuer/registry/delete-tokens.ts';
import { eventually } from '../../support/eventually.ts';
import type { GrpcClient } from '../../support/grpc.ts';
import type { BenchEnv } from '../lib/bench-env.ts';
import { timedCalls } from '../lib/latency.ts';
import { makeOwner, type Owner, type Recording } from '../lib/owner.ts';
import { ISSUED_TOKENS, TOKEN_BATCHES } from '../lib/records.ts';
import { type Figure, median, reachFigure, spread } from '../lib/report.ts';
import { note, QUICK } from '../lib/scale.ts';
import { startServer } from '../lib/token-calls.ts';
import type { StoredObject } from '../limits/api-server.ts';

/** DeleteTokens of all of an owner's tokens, in both kinds of record, beside bare writes of the status that it writes to IssuedTokens. */

const TOKENS = QUICK ? 500 : 10_000;
/** Of the limit, in each of the two halves of its run: before the operator's, and after it. */
const BARE_WRITES = Math.ceil(TOKENS / 8);
const PER_TOKEN_TARGET = 0.75;
const BATCHED_TARGET = 10;

/** Tokens that became blacklisted in a second: the limit before the operator's call and after it, and one call of each kind. */
export interface DeletedRounds {
  readonly bare: readonly number[];
  readonly PerToken: number;
  readonly Batched: number;
}

/** One conditional write of a status, as the operator makes it. */
const blacklist = (
  { server }: BenchEnv,
  { apiVersion, kind, metadata }: StoredObject,
): Promise<StoredObject> => {
  const { name, namespace, uid, resourceVersion } = metadata;
  return server.write('PUT', `${ISSUED_TOKENS}/${name}/status?fieldManager=bare`, {
    apiVersion,
    kind,
    metadata: { name, namespace, uid, resourceVersion },
    status: blacklistedStatus(0, Math.floor(Date.now() / 1000)),
  });
};

/** The rate of the bare loop, with as many in flight as a call of the operator has. */
const rateOfBare = async (env: BenchEnv, records: readonly StoredObject[]): Promise<number> => {
  const { perSecond } = await timedCalls({ count: records.length, inFlight: WORKERS }, async (at) => {
    const record = records[at];
    if (record) await blacklist(env, record);
  });
  return perSecond;
};

interface Ending {
  readonly env: BenchEnv;
  readonly grpc: GrpcClient;
}

/** An owner of that many tokens, its bearer among them, all of which the operator knows. */
const ownerWith = async (
  { env, grpc }: Ending,
  { recording, tokens }: { readonly recording: Recording; readonly tokens: number },
): Promise<Owner> => {
  const owner = await makeOwner(env, grpc, {
    name: `deleted-${recording.toLowerCase()}`,
    recording,
  });
  await owner.fill(tokens - 1);
  await eventually(async () => (await grpc.countTokens(owner.authorization)) === tokens, {
    timeoutMs: 60_000,
  });
  return owner;
};

/** The rate of one call that ends all of an owner's tokens. @throws Error where it did not */
const rateOfCall = async ({ grpc }: Ending, { authorization }: Owner): Promise<number> => {
  const began = performance.now();
  const { blacklistedCount } = await grpc.deleteTokens(authorization, []);
  const seconds = (performance.now() - began) / 1000;
  if (Number(blacklistedCount) !== TOKENS)
    throw new Error(`${blacklistedCount} were blacklisted, not ${TOKENS}`);
  return TOKENS / seconds;
};

/** The limit has half of its run before the operator's call and half after it, among as many records, which another owner has. */
const measureEnding = async (ending: Ending): Promise<DeletedRounds> => {
  const { env, grpc } = ending;
  const others = await makeOwner(env, grpc, { name: 'bare', recording: 'PerToken' });
  const records = await others.fill(2 * BARE_WRITES);
  const perToken = await ownerWith(ending, { recording: 'PerToken', tokens: TOKENS });
  const batched = await ownerWith(ending, { recording: 'Batched', tokens: TOKENS });
  const before = await rateOfBare(env, records.slice(0, BARE_WRITES));
  const PerToken = await rateOfCall(ending, perToken);
  const bare = [before, await rateOfBare(env, records.slice(BARE_WRITES))];
  return { bare, PerToken, Batched: await rateOfCall(ending, batched) };
};

/** Measures; leaves no records. */
export const measureDeleted = async (env: BenchEnv): Promise<DeletedRounds> => {
  const { operator, grpc } = await startServer(env);
  try {
    const found = await measureEnding({ env, grpc });
    const { bare, PerToken, Batched } = found;
    note(
      `bare ${spread(bare, 'status writes/s')}, DeleteTokens PerToken ${PerToken.toFixed(0)}/s, Batched ${Batched.toFixed(0)}/s`,
    );
    return found;
  } finally {
    grpc.close();
    await operator.stop();
    for (const path of [ISSUED_TOKENS, TOKEN_BATCHES]) await env.server.empty(path);
  }
};

/** What it says in the table. */
export const deletedFigures = ({ bare, PerToken, Batched }: DeletedRounds): Figure[] => [
  reachFigure({
    scenario: `DeleteTokens of all ${TOKENS} tokens of an owner, in IssuedTokens`,
    measured: `${PerToken.toFixed(0)} tokens/s`,
    limit: `bare undici loop, the same status, ${WORKERS} in flight: ${spread(bare, 'writes/s')}`,
    ratio: PerToken / median(bare),
    target: PER_TOKEN_TARGET,
  }),
  reachFigure({
    scenario: `DeleteTokens of all ${TOKENS} tokens of an owner, in TokenBatches`,
    measured: `${Batched.toFixed(0)} tokens/s`,
    limit: `in IssuedTokens: ${PerToken.toFixed(0)} tokens/s`,
    ratio: Batched / PerToken,
    target: BATCHED_TARGET,
  }),
];
