import type { Token } from '../../api/token.ts';
import type { FairSemaphore } from '../../async/fair-semaphore.ts';
import { bearerKey } from '../../domain/caller-address.ts';
import { type CachedIssuedToken, ISSUED_INDEX } from '../../domain/record/cached-issued-token.ts';
import {
  BATCH_INDEX,
  batchedIdsOf,
  batchOriginOf,
  type CachedTokenBatch,
} from '../../domain/record/cached-token-batch.ts';
import type { RevocationCounts } from '../../domain/record/revocation-plan.ts';
import { RECORD_INDEX, type RecordOrigin } from '../../domain/record/token-record.ts';
import { clientKeyOf } from '../../domain/token/declared-token.ts';
import type { WritableCache } from '../../ports/cache.ts';
import type { Freshness } from '../../ports/freshness.ts';
import { calledOff, IssuerFailure } from '../failure.ts';
import type { Bearer, Call, DeletedTokens, DeleteTokens } from '../use-cases.ts';
import { inPieces } from './in-pieces.ts';
import { selectIds } from './list-tokens.ts';
import { type Lookups, requireFresh } from './lookups.ts';
import { checkIdFilter } from './records.ts';
import type { RevocationTarget, RevokeRecords } from './revoke-records.ts';

/** Lists the IssuedTokens and TokenBatches that are labelled with an owner, by consistent reads, page by page. @throws ApiError */
export interface ListRecordsOfOwner {
  issued(owner: string, signal: AbortSignal): AsyncIterable<readonly CachedIssuedToken[]>;
  batches(owner: string, signal: AbortSignal): AsyncIterable<readonly CachedTokenBatch[]>;
}

export interface DeleteTokensOptions {
  readonly tokens: Pick<WritableCache<Token>, 'byIndex'>;
  readonly issued: Pick<WritableCache<CachedIssuedToken>, 'byIndex' | 'putIfNewer'>;
  readonly batches: Pick<WritableCache<CachedTokenBatch>, 'byIndex' | 'putIfNewer'>;
  readonly lookups: Lookups;
  readonly freshness: Freshness;
  readonly listRecordsOfOwner: ListRecordsOfOwner;
  readonly revokeRecords: RevokeRecords;
  /** Bounds the lists of all records of an owner, and lets clients take turns. */
  readonly queue: FairSemaphore;
  /** Resolves in a later turn of the event loop, so that other work can run. */
  readonly turn: () => Promise<void>;
  /** Whether the client of that key, `<namespace>/<name>`, belongs to another issuer, whose tokens are not this one's to end. Absent: none does. */
  readonly isOfAnother?: (client: string) => boolean;
}

/** Records that are made targets before the event loop can run other work. */
const COLLECTED = 2048;
/** Targets that are begun before it can: for those with nothing to write nothing else is waited for. */
const BEGUN = 128;
/** Concurrent writes of one call. */
export const WORKERS = 16;

/** The call that waits for the API server. */
type Waiting = Pick<Call, 'address' | 'signal'>;

/** What is to be ended: the record of an id, or those of a Token. */
interface Ending {
  readonly origin: RecordOrigin;
  readonly id?: string;
}

/** The objects to write, each once. The ids select records of a TokenBatch; a Token and an IssuedToken are revoked whole. */
class Targets {
  readonly #byUid = new Map<string, RevocationTarget & { readonly ids: Set<string> }>();

  add({ origin, id }: Ending): void {
    const target = this.#byUid.get(origin.uid) ?? { ...origin, ids: new Set<string>() };
    this.#byUid.set(origin.uid, target);
    if (id !== undefined) target.ids.add(id);
  }

  get all(): readonly RevocationTarget[] {
    return [...this.#byUid.values()];
  }
}

/** Revokes all targets, a few at a time. A failure does not stop the others; the first one is thrown after the last target. */
const revokeAll = async (
  targets: readonly RevocationTarget[],
  end: (target: RevocationTarget) => Promise<RevocationCounts>,
  { turn, signal }: { turn: () => Promise<void>; signal: AbortSignal },
): Promise<DeletedTokens> => {
  const counts = { blacklisted: 0, deleted: 0 };
  let failure: unknown;
  let next = 0;
  /** What all workers wait for. */
  let pause = Promise.resolve();
  const work = async (): Promise<void> => {
    while (next < targets.length && !signal.aborted) {
      const target = targets[next];
      next += 1;
      if (target === undefined) return;
      if (next % BEGUN === 0) pause = turn();
      try {
        await pause;
        const { blacklisted, deleted } = await end(target);
        counts.blacklisted += blacklisted;
        counts.deleted += deleted;
      } catch (error) {
        failure ??= error;
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(WORKERS, targets.length) }, work));
  if (signal.aborted) throw calledOff();
  if (failure !== undefined) throw failure;
  return counts;
};

/**
 * Makes {@link DeleteTokens} (spec §4): blacklists live tokens of the owner and deletes expired ones; unknown ids and those of other owners
 * are ignored. "All" means the IssuedTokens and TokenBatches of a consistent list, so that it includes tokens that another replica has
 * just issued, and everything in the watch caches, which have to be fresh: a stale one could pass over a Token, or over a record whose
 * label was changed.
 */
export const createDeleteTokens = (options: DeleteTokensOptions): DeleteTokens => {
  const { tokens, issued, batches, lookups, freshness, listRecordsOfOwner, revokeRecords, queue, turn } =
    options;
  const isOwn = (client: string): boolean => options.isOfAnother?.(client) !== true;

  const readRecordsOfOwner = async (owner: string, signal: AbortSignal): Promise<void> => {
    try {
      for await (const page of listRecordsOfOwner.issued(owner, signal))
        for (const record of page) issued.putIfNewer(record);
      for await (const page of listRecordsOfOwner.batches(owner, signal))
        for (const batch of page) batches.putIfNewer(batch);
    } catch (cause) {
      throw new IssuerFailure('Unavailable', 'the tokens are not known now, try again later', { cause });
    }
  };

  function* endingsOf(owner: string): Generator<Ending> {
    for (const record of issued.byIndex(ISSUED_INDEX.owner, owner)) if (isOwn(record.client)) yield record;
    for (const batch of batches.byIndex(BATCH_INDEX.owner, owner)) {
      if (!isOwn(batch.client)) continue;
      const origin = batchOriginOf(batch);
      for (const id of batchedIdsOf(batch, owner)) yield { origin, id };
    }
    for (const token of tokens.byIndex(RECORD_INDEX.owner, owner)) {
      if (!isOwn(clientKeyOf(token))) continue;
      const { namespace, name, uid } = token.metadata;
      yield { origin: { kind: 'Token', namespace, name, uid } };
    }
  }

  const allOf = async (bearer: Bearer, call: Waiting): Promise<Targets> => {
    const { owner } = bearer;
    const { signal } = call;
    requireFresh(freshness);
    await queue.run(bearerKey(bearer, call), () => readRecordsOfOwner(owner, signal), signal);
    // The caches may have become stale meanwhile. The labels of the list are a user's to change, the owner in the caches is not.
    requireFresh(freshness);
    const targets = new Targets();
    for await (const endings of inPieces(endingsOf(owner), { size: COLLECTED, turn, signal })) {
      for (const ending of endings) targets.add(ending);
    }
    return targets;
  };

  const targetsOf = async (bearer: Bearer, ids: readonly string[], call: Waiting): Promise<Targets> => {
    const selected = selectIds(bearer, ids);
    if (selected === 'all') return allOf(bearer, call);
    const targets = new Targets();
    for (const record of await lookups.find(bearer, selected, call)) targets.add(record);
    return targets;
  };

  return async (bearer, ids, call) => {
    checkIdFilter(ids);
    const { all } = await targetsOf(bearer, ids, call);
    const revoker = { key: bearerKey(bearer, call), signal: call.signal };
    return revokeAll(all, (target) => revokeRecords(target, revoker), { turn, signal: call.signal });
  };
};
