import { isOlder, type KubeObject, keyOf, type ObjectRef } from '../../api/meta.ts';
import type { OAuthClient } from '../../api/oauth-client.ts';
import type { Token } from '../../api/token.ts';
import { unlessAborted, withDeadline } from '../../async/abort.ts';
import { BoundedMap } from '../../async/bounded-map.ts';
import type { FairKey } from '../../async/fair-queue.ts';
import { type FairSemaphore, runInTurn } from '../../async/fair-semaphore.ts';
import { SingleFlight } from '../../async/single-flight.ts';
import type { CachedIssuedToken } from '../../domain/record/cached-issued-token.ts';
import type { CachedTokenBatch } from '../../domain/record/cached-token-batch.ts';
import type { WritableCache } from '../../ports/cache.ts';
import type { MonotonicClock } from '../../ports/clock.ts';
import type { SecretMeta } from '../../ports/secrets.ts';
import { calledOff, IssuerFailure } from '../failure.ts';

/** Reads an object from the API server; undefined if it does not exist. @throws ApiError */
type ReadObject<T> = (ref: ObjectRef, signal: AbortSignal) => Promise<T | undefined>;

/** For whom an object is read. */
export interface Reader {
  readonly key: FairKey;
  readonly signal: AbortSignal;
}

/**
 * Reads objects of one kind from the API server. Concurrent requests of one client or address share a read, others do not, so that
 * none waits for the turn of another client; that an object does not exist is cached for 1 s (spec §3, Lookups).
 */
export interface LiveReads<T> {
  /** The object that the API server has, or a newer one in the cache. @throws IssuerFailure `Unavailable` if the API server can't be reached */
  read(ref: ObjectRef, reader: Reader): Promise<T | undefined>;
}

/** The live reads by kind. */
export interface RegistryReads {
  readonly tokens: LiveReads<Token>;
  readonly issued: LiveReads<CachedIssuedToken>;
  readonly batches: LiveReads<CachedTokenBatch>;
  readonly clients: LiveReads<OAuthClient>;
  /** Metadata of Secrets of the operator. */
  readonly secrets: LiveReads<SecretMeta>;
}

export interface LiveReadsOptions<T> {
  readonly cache: Pick<WritableCache<T>, 'get' | 'putIfNewer' | 'forget'>;
  readonly readObject: ReadObject<T>;
  /** Limits concurrent reads; shared by all kinds. Absent: whoever reads has had its turn. */
  readonly queue?: FairSemaphore | undefined;
  readonly clock: MonotonicClock;
}

const DEADLINE_MS = 5000;
const NO_MS = 1000;
/** No's that are remembered; the oldest go beyond this. */
const MAX_NOS = 8192;

const unavailable = (cause: unknown): IssuerFailure =>
  new IssuerFailure('Unavailable', 'the API server can not be asked now, try again later', {
    detail: 'a live read failed',
    cause,
  });

/** Makes {@link LiveReads}. An object that was read goes into the cache, unless that has a newer one. */
export const createLiveReads = <T extends Pick<KubeObject, 'metadata'>>({
  cache,
  readObject,
  queue,
  clock,
}: LiveReadsOptions<T>): LiveReads<T> => {
  const flights = new SingleFlight<string, T | undefined>();
  /** By key, until when nothing is asked; monotonic milliseconds. */
  const negativeCache = new BoundedMap<string, number>(MAX_NOS);

  const ask = async (ref: ObjectRef, { key: fairKey }: Reader): Promise<T | undefined> => {
    const key = keyOf(ref);
    const before = cache.get(key);
    try {
      const deadline = { clock, ms: DEADLINE_MS };
      const read = (signal: AbortSignal) => readObject(ref, signal);
      const object = await (queue
        ? runInTurn({ queue, key: fairKey, deadline }, read)
        : withDeadline(deadline, read));
      if (object === undefined) {
        negativeCache.set(key, clock.monotonic() + NO_MS);
        // The object from before the read is gone; one that arrived during the read may be newer than the answer.
        if (before) cache.forget(key, before.metadata.uid);
        return undefined;
      }
      cache.putIfNewer(object);
      // Known before the read, and newer than its answer: the API server was put back to an earlier state, and the answer is right.
      const wasPutBack = before && isOlder(object.metadata.resourceVersion, before.metadata.resourceVersion);
      return wasPutBack ? object : cache.get(key);
    } catch (error) {
      throw error instanceof IssuerFailure ? error : unavailable(error);
    }
  };

  return {
    read: async (ref, reader) => {
      const key = keyOf(ref);
      const until = negativeCache.get(key);
      if (until !== undefined) {
        if (clock.monotonic() < until) return undefined;
        negativeCache.delete(key);
      }
      // No key of an object has a space.
      const asking = flights.run(`${key} ${reader.key.group}`, () => ask(ref, reader));
      return unlessAborted(asking, reader.signal, calledOff);
    },
  };
};
