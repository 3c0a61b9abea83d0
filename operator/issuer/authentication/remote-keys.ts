import { unlessAborted } from '../../async/abort.ts';
import { type BackoffBounds, backoffCeilingMs } from '../../async/backoff.ts';
import { FairCache } from '../../async/fair-cache.ts';
import { SingleFlight } from '../../async/single-flight.ts';
import type { MonotonicClock } from '../../ports/clock.ts';
import type { Log } from '../../ports/log.ts';
import { calledOff, IssuerFailure } from '../failure.ts';
import type { IsOwnKey } from '../keys/own-keys.ts';
import { type DocumentReader, fetchIssuerKeys, fetchJwks } from './issuer-documents.ts';
import { createKeySet, type KeySet } from './key-set.ts';
import type { Claims, UnverifiedJwt } from './unverified-jwt.ts';

/** A source of keys: the URL of a JWKS, or the authority of an OpenID provider, whose JWKS discovery finds. */
interface KeySource {
  readonly kind: 'jwks' | 'authority';
  readonly url: string;
  readonly caFile?: string | undefined;
}

/** Runs a check of a signature, at once or later. */
export type InTurn = <T>(check: () => Promise<T>) => Promise<T>;

/** For whom a JWT is verified, and what that waits for. */
export interface VerificationWait {
  /** That of the client that trusts the keys; '' for the configuration. Namespaces have equal shares of the cache. */
  readonly namespace: string;
  readonly signal: AbortSignal;
  /** Fetching keys is no part of it. */
  readonly inTurn: InTurn;
}

/** The claims that a source's key has signed. */
interface VerifiedJwt {
  readonly claims: Claims;
  /** As the source's discovery document has it; undefined for a JWKS alone. */
  readonly issuer: string | undefined;
}

/** Verifies JWTs with keys that are fetched, cached, and refreshed. */
export interface RemoteKeys {
  /** What a key of the source has signed; undefined if none has. @throws IssuerFailure `Unavailable` if no usable keys can be fetched */
  verify(jwt: UnverifiedJwt, source: KeySource, wait: VerificationWait): Promise<VerifiedJwt | undefined>;
}

export interface RemoteKeysOptions extends DocumentReader {
  readonly isOwnKey: IsOwnKey;
  readonly clock: MonotonicClock;
  readonly log: Log;
}

/** Keys of a source, and its issuer if discovery has found them. */
interface FetchedKeys {
  readonly set: KeySet;
  readonly issuer: string | undefined;
}

/** The cached keys of one source; times are monotonic milliseconds. */
interface Entry {
  keys: FetchedKeys | undefined;
  fetchedAt: number;
  triedAt: number;
  failures: number;
  notBefore: number;
}

const REFRESH_MS = 30 * 60_000;
/** Spec §4: keys older than this are not used. */
const LONGEST_MS = 60 * 60_000;
/** The shortest time between two fetches that a JWT with an unknown `kid` causes. */
const UNKNOWN_KID_MS = 30_000;
const BACKOFF: BackoffBounds = { baseMs: 1000, capMs: 60_000 };
/** More sources than the clients of a cluster have; beyond that the namespace with the most loses its least recently used one. */
const LIMITS = { entries: 256, uses: 4096 };

const unavailable = (cause?: unknown): IssuerFailure =>
  new IssuerFailure('Unavailable', 'the keys of the issuer can not be fetched now, try again later', {
    detail: 'no usable keys of an issuer',
    cause,
  });

const NEVER = Number.NEGATIVE_INFINITY;

type Caller = Pick<VerificationWait, 'namespace' | 'signal'>;

/** The cached keys by source. Fetches are shared, and failures retried with backoff. */
class Sources {
  readonly #options: RemoteKeysOptions;
  readonly #entries = new FairCache<Entry>(LIMITS);
  readonly #fetches = new SingleFlight<Entry, FetchedKeys>();

  constructor(options: RemoteKeysOptions) {
    this.#options = options;
  }

  #entry({ kind, url, caFile = '' }: KeySource, namespace: string): Entry {
    return this.#entries.use(namespace, JSON.stringify([kind, url, caFile]), () => ({
      keys: undefined,
      fetchedAt: NEVER,
      triedAt: NEVER,
      failures: 0,
      notBefore: NEVER,
    }));
  }

  /** The keys of a source, fetched if they are too old. @throws IssuerFailure `Unavailable` */
  async keys(source: KeySource, { namespace, signal }: Caller): Promise<FetchedKeys> {
    const entry = this.#entry(source, namespace);
    const now = this.#options.clock.monotonic();
    const age = now - entry.fetchedAt;
    if (entry.keys && age <= LONGEST_MS) {
      // Refreshed in the background: a failure is logged, and the cached keys remain usable for a while.
      if (age > REFRESH_MS && now >= entry.notBefore) this.#fetch(source, entry).catch(() => undefined);
      return entry.keys;
    }
    if (!this.#fetches.has(entry) && now < entry.notBefore) throw unavailable();
    return unlessAborted(this.#fetch(source, entry), signal, calledOff);
  }

  /** Newer keys than `known`, if there are any; fetched at a limited rate. */
  async newerThan(
    source: KeySource,
    known: FetchedKeys,
    { namespace, signal }: Caller,
  ): Promise<FetchedKeys | undefined> {
    const entry = this.#entry(source, namespace);
    if (entry.keys !== known && entry.keys) return entry.keys;
    const now = this.#options.clock.monotonic();
    const isTooSoon = now - entry.triedAt < UNKNOWN_KID_MS || now < entry.notBefore;
    if (!this.#fetches.has(entry) && isTooSoon) return undefined;
    // If the issuer does not answer, the known keys decide.
    return unlessAborted(
      this.#fetch(source, entry).catch(() => undefined),
      signal,
      calledOff,
    );
  }

  #fetch(source: KeySource, entry: Entry): Promise<FetchedKeys> {
    return this.#fetches.run(entry, () => this.#load(source, entry));
  }

  async #load({ kind, url, caFile }: KeySource, entry: Entry): Promise<FetchedKeys> {
    const { clock, isOwnKey, log } = this.#options;
    const startedAt = clock.monotonic();
    entry.triedAt = startedAt;
    try {
      const { keys, issuer } =
        kind === 'jwks'
          ? { keys: await fetchJwks(this.#options, url, { caFile }), issuer: undefined }
          : await fetchIssuerKeys(this.#options, url, { caFile });
      if (keys.some(isOwnKey)) {
        log.warn('the keys of an issuer include a key of this issuer: its JWTs are rejected', {
          issuer: url,
        });
      }
      entry.keys = { set: createKeySet(keys, isOwnKey), issuer };
      entry.fetchedAt = startedAt;
      entry.failures = 0;
      return entry.keys;
    } catch (error) {
      entry.failures += 1;
      entry.notBefore = clock.monotonic() + backoffCeilingMs(entry.failures - 1, BACKOFF);
      log.warn('the keys of an issuer could not be fetched', {
        issuer: url,
        failures: entry.failures,
        error,
      });
      throw unavailable(error);
    }
  }
}

/** Makes {@link RemoteKeys}; `fetchJson` limits time, size and address (spec §6, outbound requests). */
export const createRemoteKeys = (options: RemoteKeysOptions): RemoteKeys => {
  const sources = new Sources(options);
  return {
    verify: async (jwt, source, wait) => {
      const { inTurn } = wait;
      let keys = await sources.keys(source, wait);
      let verification = await inTurn(() => keys.set.verify(jwt));
      if (verification.kind === 'unknownKey') {
        const others = await sources.newerThan(source, keys, wait);
        if (others && others !== keys) {
          keys = others;
          verification = await inTurn(() => others.set.verify(jwt));
        }
      }
      return verification.kind === 'valid' ? { claims: verification.claims, issuer: keys.issuer } : undefined;
    },
  };
};
