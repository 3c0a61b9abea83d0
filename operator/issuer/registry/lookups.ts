import { type ObjectRef, refOf } from '../../api/meta.ts';
import type { OAuthClient } from '../../api/oauth-client.ts';
import { batchNameOf, isBatchedId } from '../../domain/record/record-object.ts';
import { type FoundRecord, ownerOf, type RecordOrigin } from '../../domain/record/token-record.ts';
import type { Cache } from '../../ports/cache.ts';
import type { Freshness } from '../../ports/freshness.ts';
import { IssuerFailure } from '../failure.ts';
import { bearerKey } from '../fair-keys.ts';
import type { Bearer, Call } from '../use-cases.ts';
import type { Reader, RegistryReads } from './live-reads.ts';
import { isFresh, type Records } from './records.ts';

/** The most reads of the API server that one request may cause (spec §3, Lookups). */
const MAX_READS = 64;

/** The call that waits for reads of the API server. */
type Waiting = Pick<Call, 'address' | 'signal'>;

/** Finds the records of the ids in a filter. */
export interface Lookups {
  /**
   * The records of the bearer's owner among `ids`, each once, in the order of ids, from the caches or, within the limit, from the API
   * server. @throws IssuerFailure `Unavailable` if they can't be known now
   */
  find(bearer: Bearer, ids: readonly string[], call: Waiting): Promise<FoundRecord[]>;
}

export interface LookupsOptions {
  readonly records: Records;
  readonly clients: Pick<Cache<OAuthClient>, 'values'>;
  /** Not those that validations of JWTs use, which must not wait for filters of unknown ids (spec §3, Lookups). */
  readonly reads: RegistryReads;
  readonly freshness: Freshness;
}

const notKnown = (): IssuerFailure =>
  new IssuerFailure('Unavailable', 'the tokens are not known now, try again later', {
    detail: 'a cache is stale',
  });

/** Namespaces that may have records of the owner, that of the bearer's client first. Owners from assertions may be in the namespace of every client that accepts these. */
const namespacesOf = ({ clients }: LookupsOptions, { owner, client }: Bearer): string[] => {
  const namespaces = new Set(client === undefined ? [] : [refOf(client).namespace]);
  for (const { metadata, spec } of clients.values()) {
    if (namespaces.size >= MAX_READS) break;
    const mayHave = spec.owner === owner || spec.authentication?.trustedIssuers !== undefined;
    if (mayHave) namespaces.add(metadata.namespace);
  }
  return [...namespaces];
};

/** Requires fresh caches for "all" of an owner: a stale one might show a revoked token as live, or pass over one that is to be revoked. @throws IssuerFailure `Unavailable` */
export const requireFresh = ({ tokens, issuedTokens, tokenBatches }: Freshness): void => {
  if (!tokens() || !issuedTokens() || !tokenBatches()) throw notKnown();
};

/** Makes {@link Lookups}. */
export const createLookups = (options: LookupsOptions): Lookups => {
  const { records, reads, freshness } = options;

  const readRecordObject = (ref: ObjectRef, reader: Reader): Promise<unknown> =>
    isBatchedId(ref.name) ? reads.batches.read(ref, reader) : reads.issued.read(ref, reader);

  const readAgain = (origin: RecordOrigin, reader: Reader): Promise<unknown> =>
    origin.kind === 'Token' ? reads.tokens.read(origin, reader) : readRecordObject(origin, reader);

  /** Reads issued tokens that no cache has, from every namespace that may have them. */
  const readUnknown = async (
    bearer: Bearer,
    ids: readonly string[],
    { most, reader }: { most: number; reader: Reader },
  ): Promise<void> => {
    const namespaces = namespacesOf(options, bearer);
    const names = [...new Set(ids.map((id) => (isBatchedId(id) ? batchNameOf(id) : id)))];
    const places = namespaces.flatMap((namespace) => names.map((name) => ({ namespace, name })));
    await Promise.all(places.slice(0, most).map((ref) => readRecordObject(ref, reader)));
  };

  /** Reads unknown and stale records into the caches, within the limit. */
  const refresh = async (bearer: Bearer, ids: readonly string[], call: Waiting): Promise<void> => {
    const unknown: string[] = [];
    const stale = new Map<string, RecordOrigin>();
    for (const id of ids) {
      const record = records.find(id);
      if (record === undefined) unknown.push(id);
      else if (!isFresh(record, freshness)) stale.set(record.origin.uid, record.origin);
    }
    if (stale.size > MAX_READS) throw notKnown();
    if (stale.size + unknown.length === 0) return;
    const reader = { key: bearerKey(bearer, call), signal: call.signal };
    await Promise.all([...stale.values()].map((origin) => readAgain(origin, reader)));
    if (unknown.length > 0) await readUnknown(bearer, unknown, { most: MAX_READS - stale.size, reader });
  };

  return {
    find: async (bearer, ids, call) => {
      const wanted = [...new Set(ids)].sort();
      await refresh(bearer, wanted, call);
      return wanted.flatMap((id) => {
        const record = records.find(id);
        return record && ownerOf(record) === bearer.owner ? [record] : [];
      });
    },
  };
};
