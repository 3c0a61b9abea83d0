import { type ObjectRef, refOf } from '../../api/meta.ts';
import type { OAuthClient } from '../../api/oauth-client.ts';
import { withDeadline } from '../../async/abort.ts';
import type { FairSemaphore } from '../../async/fair-semaphore.ts';
import { bearerKey } from '../../domain/caller-address.ts';
import { batchNameOf, isBatchedId } from '../../domain/record/cached-token-batch.ts';
import { type FoundRecord, ownerOf, type RecordOrigin } from '../../domain/record/token-record.ts';
import type { Cache } from '../../ports/cache.ts';
import type { MonotonicClock } from '../../ports/clock.ts';
import type { Freshness } from '../../ports/freshness.ts';
import { calledOff, IssuerFailure } from '../failure.ts';
import type { Bearer, Call } from '../use-cases.ts';
import type { Reader, RegistryReads } from './live-reads.ts';
import { isFresh, type Records } from './records.ts';

/** The most reads of the API server that one request may cause (spec §3, Lookups). */
const MAX_READS = 64;
/** Of these, how many at a time. */
const READS_AT_ONCE = 2;
/** How long a request waits for its turn and its reads. */
const DEADLINE_MS = 5000;

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
  /** Bounds the requests that read, and lets clients take turns: one place for all reads of a request. */
  readonly queue: FairSemaphore;
  readonly freshness: Freshness;
  readonly clock: MonotonicClock;
}

const notKnown = (): IssuerFailure =>
  new IssuerFailure('Unavailable', 'the tokens are not known now, try again later', {
    detail: 'a cache is stale',
  });

/** Namespaces that may have records of the owner, that of the bearer's client first. Owners from assertions may be in the namespace of every client that accepts these. */
function* namespacesOf({ clients }: LookupsOptions, { owner, client }: Bearer): Generator<string> {
  const namespaces = new Set(client === undefined ? [] : [refOf(client).namespace]);
  yield* namespaces;
  for (const { metadata, spec } of clients.values()) {
    const mayHave = spec.owner === owner || spec.authentication?.trustedIssuers !== undefined;
    if (!mayHave || namespaces.has(metadata.namespace)) continue;
    namespaces.add(metadata.namespace);
    yield metadata.namespace;
  }
}

/** The name of the object that has the record of an issued token. */
const objectNameOf = (id: string): string => (isBatchedId(id) ? batchNameOf(id) : id);

/** Where issued tokens that no cache has may be: in every namespace of {@link namespacesOf}, and `most` places in all. */
const placesOf = (
  options: LookupsOptions,
  bearer: Bearer,
  { ids, most }: { ids: readonly string[]; most: number },
): ObjectRef[] => {
  const places: ObjectRef[] = [];
  const names = new Set(ids.map(objectNameOf));
  for (const namespace of namespacesOf(options, bearer)) {
    for (const name of names) {
      if (places.length >= most) return places;
      places.push({ namespace, name });
    }
  }
  return places;
};

/** What a filter needs before its answer is known. */
interface Gaps {
  readonly known: readonly string[];
  readonly unknown: readonly string[];
  /** Records that are known from a stale cache, each object once. */
  readonly stale: readonly RecordOrigin[];
}

const gapsOf = ({ records, freshness }: LookupsOptions, ids: Iterable<string>): Gaps => {
  const known: string[] = [];
  const unknown: string[] = [];
  const stale = new Map<string, RecordOrigin>();
  for (const id of ids) {
    const record = records.find(id);
    if (record === undefined) unknown.push(id);
    else {
      known.push(id);
      if (!isFresh(record, freshness)) stale.set(record.origin.uid, record.origin);
    }
  }
  return { known, unknown, stale: [...stale.values()] };
};

/** Makes all reads, a few at a time; none begins after a failure. @throws the first failure, or calledOff when `signal` aborts */
const makeAll = async (reads: readonly (() => Promise<unknown>)[], signal: AbortSignal): Promise<void> => {
  const rest = reads.values();
  let hasFailed = false;
  const worker = async (): Promise<void> => {
    for (const read of rest) {
      if (signal.aborted) throw calledOff();
      if (hasFailed) return;
      await read();
    }
  };
  const workers = Array.from({ length: READS_AT_ONCE }, () =>
    worker().catch((error: unknown) => {
      hasFailed = true;
      throw error;
    }),
  );
  await Promise.all(workers);
};

/** Requires fresh caches for "all" of an owner: a stale one might show a revoked token as live, or pass over one that is to be revoked. @throws IssuerFailure `Unavailable` */
export const requireFresh = ({ tokens, issuedTokens, tokenBatches }: Freshness): void => {
  if (!tokens() || !issuedTokens() || !tokenBatches()) throw notKnown();
};

/** Makes {@link Lookups}. */
export const createLookups = (options: LookupsOptions): Lookups => {
  const { records, reads, queue, clock } = options;

  const readRecordObject = (ref: ObjectRef, reader: Reader): Promise<unknown> =>
    isBatchedId(ref.name) ? reads.batches.read(ref, reader) : reads.issued.read(ref, reader);

  const readAgain = (origin: RecordOrigin, reader: Reader): Promise<unknown> =>
    origin.kind === 'Token' ? reads.tokens.read(origin, reader) : readRecordObject(origin, reader);

  /** Reads unknown and stale records into the caches, within the limit. Resolves with the ids that may be known now. */
  const fillGaps = async (gaps: Gaps, bearer: Bearer, call: Waiting): Promise<readonly string[]> => {
    const { known, unknown, stale } = gaps;
    if (stale.length > MAX_READS) throw notKnown();
    const most = MAX_READS - stale.length;
    const places = unknown.length === 0 ? [] : placesOf(options, bearer, { ids: unknown, most });
    if (stale.length + places.length === 0) return known;
    const key = bearerKey(bearer, call);
    await withDeadline({ clock, ms: DEADLINE_MS, signal: call.signal }, (signal) => {
      const reader = { key, signal };
      const all = [
        ...stale.map((origin) => () => readAgain(origin, reader)),
        ...places.map((place) => () => readRecordObject(place, reader)),
      ];
      return queue.run(key, () => makeAll(all, signal), signal);
    });
    const read = new Set(places.map(({ name }) => name));
    return [...known, ...unknown.filter((id) => read.has(objectNameOf(id)))];
  };

  return {
    find: async (bearer, ids, call) => {
      const found = await fillGaps(gapsOf(options, new Set(ids)), bearer, call);
      return [...found].sort().flatMap((id) => {
        const record = records.find(id);
        return record && ownerOf(record) === bearer.owner ? [record] : [];
      });
    },
  };
};
