import type { OAuthClient } from '../../api/oauth-client.ts';
import type { Token } from '../../api/token.ts';
import { type CachedIssuedToken, ISSUED_INDEX } from '../../domain/record/cached-issued-token.ts';
import {
  BATCH_INDEX,
  batchedIdsOf,
  batchedRecordOf,
  batchNameOf,
  type CachedTokenBatch,
  hasRestoredRecords,
  isBatchedId,
} from '../../domain/record/cached-token-batch.ts';
import { declaredRecordOf } from '../../domain/record/declared-records.ts';
import { type FoundRecord, RECORD_INDEX } from '../../domain/record/token-record.ts';
import { clientKeyOf, recordedIdsOf } from '../../domain/token/declared-token.ts';
import type { Cache, Cacheable } from '../../ports/cache.ts';
import type { Freshness } from '../../ports/freshness.ts';
import { IssuerFailure } from '../failure.ts';

/** The most ids in a filter (spec §4). */
export const MAX_IDS = 1000;

/** What an id in a filter may be: a `jti` is a UUID, and any other short text an unknown id. */
const ID = /^[\x21-\x7e]{1,64}$/u;

/** Checks a filter (spec §4). An empty id is rejected: ignoring it could turn the filter into "all". @throws IssuerFailure `Malformed` */
export const checkIdFilter = (ids: readonly string[]): readonly string[] => {
  if (ids.length > MAX_IDS) {
    throw new IssuerFailure('Malformed', `id_filter has more than ${MAX_IDS} ids`);
  }
  if (!ids.every((id) => ID.test(id))) {
    throw new IssuerFailure('Malformed', 'id_filter has an id that is not 1 to 64 ASCII characters');
  }
  return ids;
};

/** The caches that hold records, of every kind of resource. */
export interface RecordCaches {
  /** Indexed by `RECORD_INDEX`. */
  readonly tokens: Pick<Cache<Token>, 'byIndex'>;
  /** Indexed by `ISSUED_INDEX`. */
  readonly issued: Pick<Cache<CachedIssuedToken>, 'byIndex'>;
  /** Indexed by `BATCH_INDEX`. */
  readonly batches: Pick<Cache<CachedTokenBatch>, 'byIndex'>;
  readonly clients: Pick<Cache<OAuthClient>, 'get'>;
}

/** The records of all kinds in the caches, by `jti` and by owner (spec §2.3). */
export interface Records {
  /** The cached record of an id; an object that is being deleted has none, nor one that was created again. */
  find(id: string): FoundRecord | undefined;
  /** The ids of an owner's records that lists show, as runs in no order. A run is an id, or the name of a TokenBatch, whose ids are adjacent in the order of all ids. */
  runsOf(owner: string): Generator<string>;
  /** The ids in an owner's run as of now, in their order. */
  idsIn(run: string, owner: string): Iterable<string>;
  /** Whether the cached record of an id was created again: it exists, and no endpoint knows it. */
  isRestored(id: string): boolean;
  /** The record in an IssuedToken. */
  ofIssued(record: CachedIssuedToken): FoundRecord | undefined;
  /** The record in a declared Token. */
  ofToken(token: Token, id: string): FoundRecord | undefined;
  /** The record in a TokenBatch. */
  ofBatch(batch: CachedTokenBatch, id: string): FoundRecord | undefined;
}

/** Whether a positive answer may come from the cache of this kind of record (spec §3, Freshness). */
export const isFresh = ({ origin }: Pick<FoundRecord, 'origin'>, freshness: Freshness): boolean => {
  switch (origin.kind) {
    case 'Token':
      return freshness.tokens(origin.namespace);
    case 'IssuedToken':
      return freshness.issuedTokens(origin.namespace);
    case 'TokenBatch':
      return freshness.tokenBatches(origin.namespace);
  }
};

const isThere = ({ metadata }: Cacheable): boolean => metadata.deletionTimestamp === undefined;

/** The record of the first object that has one and is not being deleted. */
const first = <T extends Cacheable>(
  objects: Iterable<T>,
  recordOf: (object: T) => FoundRecord | undefined,
): FoundRecord | undefined => {
  for (const object of objects) {
    const record = isThere(object) ? recordOf(object) : undefined;
    if (record) return record;
  }
  return undefined;
};

/** The ids in TokenBatches. The objects are copied first: the index may change while a list is paused between two ids. */
function* batchedIds(named: Iterable<CachedTokenBatch>, owner: string): Generator<string> {
  for (const batch of [...named]) if (isThere(batch)) yield* batchedIdsOf(batch, owner);
}

/** Makes {@link Records} over the caches, without the records of clients that belong to another issuer; it holds no state. */
export const createRecords = (
  { tokens, issued, batches, clients }: RecordCaches,
  isOfAnother: (client: OAuthClient) => boolean = () => false,
): Records => {
  const isOwn = (client: string): boolean => {
    const found = clients.get(client);
    return found === undefined || !isOfAnother(found);
  };
  const inToken = (token: Token, id: string): FoundRecord | undefined =>
    declaredRecordOf(token, id, clients.get(clientKeyOf(token))?.spec.owner);
  const known = (record: CachedIssuedToken) => (record.isRestored ? undefined : record);
  const findCached = (id: string): FoundRecord | undefined => {
    if (isBatchedId(id)) {
      const named = batches.byIndex(BATCH_INDEX.name, batchNameOf(id));
      return first(named, (batch) => batchedRecordOf(batch, id));
    }
    return (
      first(issued.byIndex(ISSUED_INDEX.id, id), known) ??
      first(tokens.byIndex(RECORD_INDEX.id, id), (token) => inToken(token, id))
    );
  };
  return {
    ofIssued: (record) => (isThere(record) ? known(record) : undefined),
    isRestored: (id) => {
      if (!isBatchedId(id))
        return [...issued.byIndex(ISSUED_INDEX.id, id)].some(({ isRestored }) => isRestored === true);
      return [...batches.byIndex(BATCH_INDEX.name, batchNameOf(id))].some(hasRestoredRecords);
    },
    ofToken: (token, id) => (isThere(token) ? inToken(token, id) : undefined),
    ofBatch: (batch, id) => (isThere(batch) ? batchedRecordOf(batch, id) : undefined),
    find: (id) => {
      const found = findCached(id);
      return found && isOwn(found.client) ? found : undefined;
    },
    *runsOf(owner) {
      for (const record of issued.byIndex(ISSUED_INDEX.owner, owner)) if (isThere(record)) yield record.id;
      for (const batch of batches.byIndex(BATCH_INDEX.owner, owner)) {
        if (isThere(batch)) yield batch.metadata.name;
      }
      for (const token of tokens.byIndex(RECORD_INDEX.owner, owner)) {
        if (isThere(token)) yield* recordedIdsOf(token);
      }
    },
    idsIn: (run, owner) =>
      isBatchedId(run) ? batchedIds(batches.byIndex(BATCH_INDEX.name, run), owner) : [run],
  };
};
