import { type ObjectRef, refOf } from '../../api/meta.ts';
import type { OAuthClient } from '../../api/oauth-client.ts';
import { batchNameOf, isBatchedId } from '../../domain/record/batch-id.ts';
import { type FoundRecord, ownerOf, type RecordOrigin } from '../../domain/record/token-record.ts';
import type { Cache } from '../../ports/cache.ts';
import type { Freshness } from '../../ports/freshness.ts';
import { IssuerFailure } from '../failure.ts';
import type { Bearer, Call } from '../use-cases.ts';
import type { RegistryReads } from './live-reads.ts';
import { isFresh, type Records } from './records.ts';

/** Most reads of the API server that one request may cause by ids that the caches do not know (spec §3). */
const MAX_READS = 64;

/** Finds the records that a filter names. */
export interface Lookups {
  /**
   * The records of an owner among `ids` that the caches know or, within the bound, the API server: each id once, in the
   * order of ids. @throws IssuerFailure `Unavailable` where that can't be known
   */
  find(bearer: Bearer, ids: readonly string[], call: Pick<Call, 'signal'>): Promise<FoundRecord[]>;
}

export interface LookupsOptions {
  readonly records: Records;
  readonly clients: Pick<Cache<OAuthClient>, 'values'>;
  readonly reads: RegistryReads;
  readonly freshness: Freshness;
}

const notKnown = (): IssuerFailure =>
  new IssuerFailure('Unavailable', 'the tokens are not known now, try again later', {
    detail: 'a watch is stale',
  });

/** Where records of the owner may be: its client's namespace first. An owner that assertions name may be anywhere that these are taken. */
const namespacesOf = ({ clients }: LookupsOptions, { owner, client }: Bearer): string[] => {
  const namespaces = new Set(client === undefined ? [] : [refOf(client).namespace]);
  for (const { metadata, spec } of clients.values()) {
    if (namespaces.size >= MAX_READS) break;
    const mayHave = spec.owner === owner || spec.authentication?.trustedIssuers !== undefined;
    if (mayHave) namespaces.add(metadata.namespace);
  }
  return [...namespaces];
};

/** @throws IssuerFailure `Unavailable` if a cache of records is stale: a list from it might contain revoked tokens as live ones */
export const insistOnFresh = ({ tokens, issuedTokens, tokenBatches }: Freshness): void => {
  if (!tokens() || !issuedTokens() || !tokenBatches()) throw notKnown();
};

/** Makes {@link Lookups}. */
export const createLookups = (options: LookupsOptions): Lookups => {
  const { records, reads, freshness } = options;

  const readRecordObject = (ref: ObjectRef, signal: AbortSignal): Promise<unknown> =>
    isBatchedId(ref.name) ? reads.batches.read(ref, signal) : reads.issued.read(ref, signal);

  const readAgain = (origin: RecordOrigin, signal: AbortSignal): Promise<unknown> =>
    origin.kind === 'Token' ? reads.tokens.read(origin, signal) : readRecordObject(origin, signal);

  /** Asks for ids of handed-out tokens that no cache knows, in every place where one may be. */
  const askFor = async (
    bearer: Bearer,
    ids: readonly string[],
    { most, signal }: { most: number; signal: AbortSignal },
  ): Promise<void> => {
    const namespaces = namespacesOf(options, bearer);
    const names = [...new Set(ids.map((id) => (isBatchedId(id) ? batchNameOf(id) : id)))];
    const places = namespaces.flatMap((namespace) => names.map((name) => ({ namespace, name })));
    await Promise.all(places.slice(0, most).map((ref) => readRecordObject(ref, signal)));
  };

  /** Brings the caches to what the API server knows of these ids, as far as that is needed and the bound allows. */
  const learn = async (bearer: Bearer, ids: readonly string[], signal: AbortSignal): Promise<void> => {
    const unknown: string[] = [];
    const stale = new Map<string, RecordOrigin>();
    for (const id of ids) {
      const record = records.find(id);
      if (record === undefined) unknown.push(id);
      else if (!isFresh(record, freshness)) stale.set(record.origin.uid, record.origin);
    }
    if (stale.size > MAX_READS) throw notKnown();
    await Promise.all([...stale.values()].map((origin) => readAgain(origin, signal)));
    if (unknown.length > 0) await askFor(bearer, unknown, { most: MAX_READS - stale.size, signal });
  };

  return {
    find: async (bearer, ids, { signal }) => {
      const wanted = [...new Set(ids)].sort();
      await learn(bearer, wanted, signal);
      return wanted.flatMap((id) => {
        const record = records.find(id);
        return record && ownerOf(record) === bearer.owner ? [record] : [];
      });
    },
  };
};
