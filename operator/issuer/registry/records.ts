import type { OAuthClient } from '../../api/oauth-client.ts';
import type { Token } from '../../api/token.ts';
import { declaredRecordOf, recordedIdsOf } from '../../domain/declared-records.ts';
import { ISSUED_INDEX, type IssuedRecord } from '../../domain/issued-record.ts';
import { clientKeyOf } from '../../domain/token-observation.ts';
import { RECORD_INDEX, type TokenRecord } from '../../domain/token-record.ts';
import type { Cache } from '../../ports/cache.ts';
import type { Freshness } from '../../ports/freshness.ts';

/** The caches that hold records, whatever kind of resource these stand in. */
export interface RecordCaches {
  /** Indexed by `RECORD_INDEX`. */
  readonly tokens: Pick<Cache<Token>, 'byIndex'>;
  /** Indexed by `ISSUED_INDEX`. */
  readonly issued: Pick<Cache<IssuedRecord>, 'byIndex'>;
  readonly clients: Pick<Cache<OAuthClient>, 'get'>;
}

/** The index behind every door (contract §2.3): records by `jti` and by owner. */
export interface Records {
  /** The record of that id as the caches have it; an object that is being deleted has none. */
  find(id: string): TokenRecord | undefined;
  /** Ids of an owner's records, in no order: those that a list shows. */
  idsOf(owner: string): Generator<string>;
  /** The record in a declared Token. */
  ofToken(token: Token, id: string): TokenRecord | undefined;
}

/** Whether a yes about that kind of record may come from its cache. */
export const isFresh = ({ origin }: Pick<TokenRecord, 'origin'>, freshness: Freshness): boolean =>
  origin.kind === 'Token' ? freshness.tokens() : freshness.issuedTokens();

/** {@link Records} over the caches: nothing is kept here. */
export const createRecords = ({ tokens, issued, clients }: RecordCaches): Records => {
  const ofToken = (token: Token, id: string): TokenRecord | undefined =>
    token.metadata.deletionTimestamp === undefined
      ? declaredRecordOf(token, id, clients.get(clientKeyOf(token))?.spec.owner)
      : undefined;
  return {
    ofToken,
    find: (id) => {
      for (const record of issued.byIndex(ISSUED_INDEX.id, id)) {
        if (record.metadata.deletionTimestamp === undefined) return record;
      }
      for (const token of tokens.byIndex(RECORD_INDEX.id, id)) {
        const record = ofToken(token, id);
        if (record) return record;
      }
      return undefined;
    },
    *idsOf(owner) {
      for (const { id, metadata } of issued.byIndex(ISSUED_INDEX.owner, owner)) {
        if (metadata.deletionTimestamp === undefined) yield id;
      }
      for (const token of tokens.byIndex(RECORD_INDEX.owner, owner)) {
        if (token.metadata.deletionTimestamp === undefined) yield* recordedIdsOf(token);
      }
    },
  };
};
