import type { KubeObject, ObjectRef } from '../../api/meta.ts';
import { keyOf } from '../../api/meta.ts';
import type { OAuthClient } from '../../api/oauth-client.ts';
import type { Token } from '../../api/token.ts';
import { unlessAborted } from '../../async/abort.ts';
import { BoundedMap } from '../../async/bounded-map.ts';
import { withDeadline } from '../../async/deadline.ts';
import type { Semaphore } from '../../async/semaphore.ts';
import { SingleFlight } from '../../async/single-flight.ts';
import type { CachedIssuedToken } from '../../domain/record/cached-issued-token.ts';
import type { CachedTokenBatch } from '../../domain/record/cached-token-batch.ts';
import type { WritableCache } from '../../ports/cache.ts';
import type { MonotonicClock } from '../../ports/clock.ts';
import { calledOff, IssuerFailure } from '../failure.ts';

/** Reads an object from the API server; undefined if it does not exist. @throws ApiError */
type ReadObject<T> = (ref: ObjectRef, signal: AbortSignal) => Promise<T | undefined>;

/** Reads objects of one kind from the API server. Concurrent callers share a read; that an object does not exist is cached for 1 s (spec §3, Lookups). */
export interface LiveReads<T> {
  /** The object that the API server has, or a newer one in the cache. @throws IssuerFailure `Unavailable` if the API server can't be reached */
  read(ref: ObjectRef, signal: AbortSignal): Promise<T | undefined>;
}

/** The live reads by kind. */
export interface RegistryReads {
  readonly tokens: LiveReads<Token>;
  readonly issued: LiveReads<CachedIssuedToken>;
  readonly batches: LiveReads<CachedTokenBatch>;
  readonly clients: LiveReads<OAuthClient>;
}

export interface LiveReadsOptions<T> {
  readonly cache: Pick<WritableCache<T>, 'get' | 'putIfNewer' | 'forget'>;
  readonly readObject: ReadObject<T>;
  /** Limits concurrent reads; shared by all kinds. */
  readonly semaphore: Semaphore;
  readonly clock: MonotonicClock;
}

/** Concurrent and waiting reads: limits what callers can make the API server do. */
export const LIVE_READS = { atOnce: 64, waiting: 2048 };

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
  semaphore,
  clock,
}: LiveReadsOptions<T>): LiveReads<T> => {
  const flights = new SingleFlight<string, T | undefined>();
  /** By key, until when nothing is asked; monotonic milliseconds. */
  const negativeCache = new BoundedMap<string, number>(MAX_NOS);

  const ask = async (ref: ObjectRef, key: string): Promise<T | undefined> => {
    const before = cache.get(key);
    try {
      const object = await withDeadline({ clock, ms: DEADLINE_MS }, (signal) =>
        semaphore.run(() => readObject(ref, signal), signal),
      );
      if (object === undefined) {
        negativeCache.set(key, clock.monotonic() + NO_MS);
        // The object from before the read is gone; one that arrived during the read may be newer than the answer.
        if (before) cache.forget(key, before.metadata.uid);
        return undefined;
      }
      cache.putIfNewer(object);
      return cache.get(key);
    } catch (error) {
      throw error instanceof IssuerFailure ? error : unavailable(error);
    }
  };

  return {
    read: async (ref, signal) => {
      const key = keyOf(ref);
      const until = negativeCache.get(key);
      if (until !== undefined) {
        if (clock.monotonic() < until) return undefined;
        negativeCache.delete(key);
      }
      const asking = flights.run(key, () => ask(ref, key));
      return unlessAborted(asking, signal, calledOff);
    },
  };
};
