import { blacklistedStatus } from '../../operator/domain/issued-token-plan.ts';
import { WORKERS } from '../../operator/issuer/registry/delete-tokens.ts';
import { eventually } from '../support/eventually.ts';
import type { GrpcClient } from '../support/grpc.ts';
import type { StoredObject } from './api-server.ts';
import { openDoor } from './handed-out.ts';
import { timedCalls } from './latency.ts';
import { makeOwner, type Owner, type Recording } from './owner.ts';
import { ISSUED_TOKENS, TOKEN_BATCHES } from './records.ts';
import { type Figure, medianRatio, spread } from './report.ts';
import { note, QUICK } from './scale.ts';
import type { World } from './world.ts';

/** DeleteTokens of all of an owner's tokens, in both kinds of record, beside bare writes of the status that it writes to IssuedTokens. */

const TOKENS = QUICK ? 500 : 10_000;
/** Of the limit, in each of the two halves of its run: before the door's, and after it. */
const BARE_WRITES = Math.ceil(TOKENS / 8);
/** Fewer than elsewhere: a round writes 25,000 objects, and deletes half as many. */
const ROUNDS = QUICK ? 1 : 2;
const PER_TOKEN_TARGET = 0.75;
const BATCHED_TARGET = 10;

/** Tokens that became blacklisted in a second, by round. */
export interface DeletedRounds {
  readonly bare: number[];
  readonly PerToken: number[];
  readonly Batched: number[];
}

/** One conditional write of a status, as the operator makes it. */
const blacklist = (
  { server }: World,
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

/** The seconds that the bare loop takes, with as many in flight as a call of the operator has. */
const secondsOfBare = async (world: World, records: readonly StoredObject[]): Promise<number> => {
  const { perSecond } = await timedCalls({ count: records.length, inFlight: WORKERS }, async (at) => {
    const record = records[at];
    if (record) await blacklist(world, record);
  });
  return records.length / perSecond;
};

interface Ending {
  readonly world: World;
  readonly door: GrpcClient;
  readonly round: number;
}

/** An owner of that many tokens, the one that it asks with among them, all of which the door knows. */
const ownerWith = async (
  { world, door, round }: Ending,
  { recording, tokens }: { readonly recording: Recording; readonly tokens: number },
): Promise<Owner> => {
  const owner = await makeOwner(world, door, {
    name: `deleted-${recording.toLowerCase()}-${round}`,
    recording,
  });
  await owner.fill(tokens - 1);
  await eventually(async () => (await door.countTokens(owner.authorization)) === tokens, {
    timeoutMs: 60_000,
  });
  return owner;
};

/** Seconds of one call that ends all of an owner's tokens. @throws Error where it did not */
const secondsOfCall = async ({ door }: Ending, { authorization }: Owner): Promise<number> => {
  const began = performance.now();
  const { blacklistedCount } = await door.deleteTokens(authorization, []);
  const seconds = (performance.now() - began) / 1000;
  if (Number(blacklistedCount) !== TOKENS)
    throw new Error(`${blacklistedCount} were blacklisted, not ${TOKENS}`);
  return seconds;
};

/** The limit has half of its run before the door's call and half after it, among as many records; nobody owns them whose call it is. */
const measureRound = async (ending: Ending, rounds: DeletedRounds): Promise<void> => {
  const { world } = ending;
  const others = await makeOwner(world, ending.door, { name: `bare-${ending.round}`, recording: 'PerToken' });
  const records = await others.fill(2 * BARE_WRITES);
  const perToken = await ownerWith(ending, { recording: 'PerToken', tokens: TOKENS });
  const batched = await ownerWith(ending, { recording: 'Batched', tokens: TOKENS });
  const before = await secondsOfBare(world, records.slice(0, BARE_WRITES));
  rounds.PerToken.push(TOKENS / (await secondsOfCall(ending, perToken)));
  const after = await secondsOfBare(world, records.slice(BARE_WRITES));
  rounds.bare.push(records.length / (before + after));
  rounds.Batched.push(TOKENS / (await secondsOfCall(ending, batched)));
  await world.server.empty(ISSUED_TOKENS);
  await world.server.empty(TOKEN_BATCHES);
};

/** Measures; every round has owners and records of its own, and leaves none. */
export const measureDeleted = async (world: World): Promise<DeletedRounds> => {
  const { operator, door } = await openDoor(world);
  const rounds: DeletedRounds = { bare: [], PerToken: [], Batched: [] };
  try {
    for (let round = 1; round <= ROUNDS; round += 1) {
      await measureRound({ world, door, round }, rounds);
      const [bare, perToken, batched] = [rounds.bare, rounds.PerToken, rounds.Batched].map((rates) =>
        rates.at(-1)?.toFixed(0),
      );
      note(
        `round ${round}/${ROUNDS}: bare status writes ${bare}/s, DeleteTokens PerToken ${perToken}/s, Batched ${batched}/s`,
      );
    }
  } finally {
    door.close();
    await operator.stop();
  }
  return rounds;
};

const compared = (
  [own, limit]: readonly [readonly number[], readonly number[]],
  text: { readonly scenario: string; readonly limit: string; readonly unit: string; readonly target: number },
): Figure => {
  const ratio = medianRatio(own, limit);
  return {
    scenario: text.scenario,
    measured: spread(own, 'tokens/s'),
    limit: `${text.limit}: ${spread(limit, text.unit)}`,
    ratio,
    target: `≥ ${text.target}`,
    pass: ratio >= text.target,
  };
};

/** What it says in the table. */
export const deletedFigures = ({ bare, PerToken, Batched }: DeletedRounds): Figure[] => [
  compared([PerToken, bare], {
    scenario: `DeleteTokens of all ${TOKENS} tokens of an owner, in IssuedTokens`,
    limit: `bare undici loop, the same status, ${WORKERS} in flight`,
    unit: 'writes/s',
    target: PER_TOKEN_TARGET,
  }),
  compared([Batched, PerToken], {
    scenario: `DeleteTokens of all ${TOKENS} tokens of an owner, in TokenBatches`,
    limit: 'in IssuedTokens',
    unit: 'tokens/s',
    target: BATCHED_TARGET,
  }),
];
