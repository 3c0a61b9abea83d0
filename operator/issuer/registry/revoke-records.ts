import { keyOf } from '../../api/meta.ts';
import { floorSeconds } from '../../api/time.ts';
import type { Token } from '../../api/token.ts';
import type { FairKey } from '../../async/fair-queue.ts';
import type { FairSemaphore } from '../../async/fair-semaphore.ts';
import { createKeyedMutex } from '../../async/keyed-mutex.ts';
import type { CachedIssuedToken } from '../../domain/record/cached-issued-token.ts';
import type { CachedTokenBatch } from '../../domain/record/cached-token-batch.ts';
import {
  planBatchRevocation,
  planIssuedTokenRevocation,
  planTokenRevocation,
  type RevocationCounts,
  type RevocationPlan,
} from '../../domain/record/revocation-plan.ts';
import type { FoundRecord, RecordOrigin } from '../../domain/record/token-record.ts';
import type { Cacheable, WritableCache } from '../../ports/cache.ts';
import type { Clock } from '../../ports/clock.ts';
import type { DecodedClient } from '../../ports/decoded-client.ts';
import { isConflict, isNotFound } from '../../ports/kube.ts';
import { IssuerFailure } from '../failure.ts';

/** An object with records to end. An object that was created again under the same name is another one. */
export interface RevocationTarget extends RecordOrigin {
  /** The `jti`s of the records to end. The records of a Token end together; other records of a TokenBatch stay. */
  readonly ids: ReadonlySet<string>;
}

/**
 * Blacklists live records and deletes expired ones. Records that another caller ended are not counted.
 * @throws IssuerFailure `Unavailable` if that is not possible now, `Exhausted` if too many wait for it
 */
export type RevokeRecords = (target: RevocationTarget, revoker: Revoker) => Promise<RevocationCounts>;

/** For whom records are revoked. */
interface Revoker {
  readonly key: FairKey;
  readonly signal: AbortSignal;
}

/** The target of a single record. */
export const endTargetOf = ({ id, origin }: Pick<FoundRecord, 'id' | 'origin'>): RevocationTarget => ({
  ...origin,
  ids: new Set([id]),
});

export interface EndTokenOptions {
  readonly tokens: Objects<Token>;
  readonly issued: Objects<CachedIssuedToken>;
  readonly batches: Objects<CachedTokenBatch>;
  /** Bounds the writes, and lets clients take turns. */
  readonly queue: FairSemaphore;
  readonly clock: Clock;
}

/** The cache and the API client of one kind of object. */
interface Objects<T> {
  readonly cache: WritableCache<T>;
  readonly client: DecodedClient<T>;
}

/** The same, with the plan that ends records of an object. */
interface Kind<T> extends Objects<T> {
  plan(object: T, ids: ReadonlySet<string>, nowSeconds: number): RevocationPlan;
}

/** Conflicts with concurrent writers that are tolerated; each try starts from the current object. */
const MAX_TRIES = 8;

const NONE: RevocationCounts = { blacklisted: 0, deleted: 0 };

const unavailable = (cause?: unknown): IssuerFailure =>
  new IssuerFailure('Unavailable', 'the token can not be revoked now, try again later', { cause });

/** Makes the planned write, which is conditional, and updates the cache before the caller is answered. @throws ApiError */
const apply = async <T extends Cacheable>(
  kind: Kind<T>,
  object: T,
  { plan, signal }: { plan: RevocationPlan; signal: AbortSignal },
): Promise<RevocationCounts> => {
  switch (plan.kind) {
    case 'nothing':
      return NONE;
    case 'write':
      kind.cache.putIfNewer(await kind.client.writeStatus(object, plan.status, signal));
      return plan.counts;
    case 'delete':
      await kind.client.delete(object, signal);
      kind.cache.forget(keyOf(object.metadata), object.metadata.uid);
      return plan.counts;
  }
};

/**
 * Plans and writes until a write succeeds. After a conflict it plans again from the object that the API server has, so that only one of
 * two callers counts a record.
 */
const endObject = async <T extends Cacheable>(
  kind: Kind<T>,
  target: RevocationTarget,
  { clock, signal }: { clock: Clock; signal: AbortSignal },
): Promise<RevocationCounts> => {
  let object = kind.cache.get(keyOf(target));
  try {
    for (let tries = 0; tries < MAX_TRIES; tries += 1) {
      object ??= await kind.client.read(target, signal);
      if (object?.metadata.uid !== target.uid) return NONE;
      const plan = kind.plan(object, target.ids, floorSeconds(clock.now()));
      try {
        return await apply(kind, object, { plan, signal });
      } catch (error) {
        if (isNotFound(error)) {
          kind.cache.forget(keyOf(target), target.uid);
          return NONE;
        }
        if (!isConflict(error)) throw error;
        object = undefined;
      }
    }
  } catch (error) {
    throw unavailable(error);
  }
  throw unavailable();
};

/**
 * Makes {@link RevokeRecords}. Every write is conditional on the uid and resourceVersion that were read. Callers that end records of the same
 * TokenBatch take turns, since each write would be a conflict for the others.
 */
export const createRevokeRecords = (options: EndTokenOptions): RevokeRecords => {
  const { clock, queue, tokens, issued, batches } = options;
  const token: Kind<Token> = { ...tokens, plan: (object, _, now) => planTokenRevocation(object, now) };
  const record: Kind<CachedIssuedToken> = {
    ...issued,
    plan: (object, _, now) => planIssuedTokenRevocation(object, now),
  };
  const batch: Kind<CachedTokenBatch> = { ...batches, plan: planBatchRevocation };
  const mutex = createKeyedMutex();
  const revoke = (target: RevocationTarget, signal: AbortSignal): Promise<RevocationCounts> => {
    const around = { clock, signal };
    switch (target.kind) {
      case 'Token':
        return endObject(token, target, around);
      case 'IssuedToken':
        return endObject(record, target, around);
      case 'TokenBatch':
        return mutex.take(target.uid, () => endObject(batch, target, around));
    }
  };
  return (target, { key, signal }) => queue.run(key, () => revoke(target, signal), signal);
};
