import type { OAuthClient } from '../../api/oauth-client.ts';
import type { Token } from '../../api/token.ts';
import { batchNameOf, isBatchedId } from '../../domain/record/batch-id.ts';
import { type CachedIssuedToken, ISSUED_INDEX } from '../../domain/record/cached-issued-token.ts';
import {
  BATCH_INDEX,
  batchedIdsOf,
  batchedRecordOf,
  type CachedTokenBatch,
} from '../../domain/record/cached-token-batch.ts';
import { declaredRecordOf } from '../../domain/record/declared-records.ts';
import { type FoundRecord, RECORD_INDEX } from '../../domain/record/token-record.ts';
import { clientKeyOf, recordedIdsOf } from '../../domain/token/declared-token.ts';
import type { Cache, Cacheable } from '../../ports/cache.ts';
import type { Freshness } from '../../ports/freshness.ts';

/** The caches that hold records, whatever kind of resource these stand in. */
export interface RecordCaches {
  /** Indexed by `RECORD_INDEX`. */
  readonly tokens: Pick<Cache<Token>, 'byIndex'>;
  /** Indexed by `ISSUED_INDEX`. */
  readonly issued: Pick<Cache<CachedIssuedToken>, 'byIndex'>;
  /** Indexed by `BATCH_INDEX`. */
  readonly batches: Pick<Cache<CachedTokenBatch>, 'byIndex'>;
  readonly clients: Pick<Cache<OAuthClient>, 'get'>;
}

/** The index behind every door (spec §2.3): records by `jti` and by owner. */
export interface Records {
  /** The record of that id as the caches have it; an object that is being deleted has none. */
  find(id: string): FoundRecord | undefined;
  /** Runs of ids of an owner's records, in no order: those that a list shows. A run is an id, or the name of a TokenBatch, whose ids come one after another in the order of all. */
  runsOf(owner: string): Generator<string>;
  /** The ids that an owner's run stands for now, in their order. */
  idsIn(run: string, owner: string): Iterable<string>;
  /** The record in a declared Token. */
  ofToken(token: Token, id: string): FoundRecord | undefined;
  /** The record in a TokenBatch. */
  ofBatch(batch: CachedTokenBatch, id: string): FoundRecord | undefined;
}

/** Whether a yes about that kind of record may come from its cache. */
export const isFresh = ({ origin }: Pick<FoundRecord, 'origin'>, freshness: Freshness): boolean => {
  switch (origin.kind) {
    case 'Token':
      return freshness.tokens();
    case 'IssuedToken':
      return freshness.issuedTokens();
    case 'TokenBatch':
      return freshness.tokenBatches();
  }
};

const isThere = ({ metadata }: Cacheable): boolean => metadata.deletionTimestamp === undefined;

/** What the first of some objects that are there gives. */
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

/** Others have their turn between two of these, so they are of the objects as they are at the first: an index may change under its iterator. */
function* batchedIds(named: Iterable<CachedTokenBatch>, owner: string): Generator<string> {
  for (const batch of [...named]) if (isThere(batch)) yield* batchedIdsOf(batch, owner);
}

/** {@link Records} over the caches: nothing is kept here. */
export const createRecords = ({ tokens, issued, batches, clients }: RecordCaches): Records => {
  const inToken = (token: Token, id: string): FoundRecord | undefined =>
    declaredRecordOf(token, id, clients.get(clientKeyOf(token))?.spec.owner);
  return {
    ofToken: (token, id) => (isThere(token) ? inToken(token, id) : undefined),
    ofBatch: (batch, id) => (isThere(batch) ? batchedRecordOf(batch, id) : undefined),
    find: (id) => {
      if (isBatchedId(id)) {
        const named = batches.byIndex(BATCH_INDEX.name, batchNameOf(id));
        return first(named, (batch) => batchedRecordOf(batch, id));
      }
      return (
        first(issued.byIndex(ISSUED_INDEX.id, id), (record) => record) ??
        first(tokens.byIndex(RECORD_INDEX.id, id), (token) => inToken(token, id))
      );
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
