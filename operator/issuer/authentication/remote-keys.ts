import { unlessAborted } from '../../async/abort.ts';
import { type BackoffBounds, backoffCeilingMs } from '../../async/backoff.ts';
import { BoundedMap } from '../../async/bounded-map.ts';
import { SingleFlight } from '../../async/single-flight.ts';
import type { MonotonicClock } from '../../ports/clock.ts';
import type { Log } from '../../ports/log.ts';
import { calledOff, IssuerFailure } from '../failure.ts';
import { type DocumentReader, fetchIssuerKeys, fetchJwks } from './issuer-documents.ts';
import { createKeySet, type KeySet } from './key-set.ts';
import type { Claims, UnverifiedJwt } from './unverified-jwt.ts';

/** Where keys are had: a JWKS by its URL, or that of an OpenID provider by discovery. */
interface KeySource {
  readonly kind: 'jwks' | 'authority';
  readonly url: string;
  readonly caFile?: string | undefined;
}

/** Keys that are fetched from elsewhere, kept, and fetched again when they get old. */
export interface RemoteKeys {
  /** The claims, once a key from there has proved to have made the JWT; undefined where none has. @throws IssuerFailure `Unavailable` where no usable keys can be had */
  verify(jwt: UnverifiedJwt, source: KeySource, signal: AbortSignal): Promise<Claims | undefined>;
}

export interface RemoteKeysOptions extends DocumentReader {
  readonly clock: MonotonicClock;
  readonly log: Log;
}

/** What is known of one source; times are monotonic milliseconds. */
interface Entry {
  keys: KeySet | undefined;
  fetchedAt: number;
  triedAt: number;
  failures: number;
  notBefore: number;
}

const REFRESH_MS = 30 * 60_000;
/** Spec §4: keys older than this are not used. */
const LONGEST_MS = 60 * 60_000;
/** A made-up `kid` must not make us ask an issuer more often than this. */
const UNKNOWN_KID_MS = 30_000;
const BACKOFF: BackoffBounds = { baseMs: 1000, capMs: 60_000 };
/** More than a cluster's clients name; the one that was not used for longest is forgotten. */
const MAX_SOURCES = 256;

const unavailable = (cause?: unknown): IssuerFailure =>
  new IssuerFailure('Unavailable', 'the keys of the issuer can not be had now, try again later', {
    detail: 'no usable keys of an issuer',
    cause,
  });

const NEVER = Number.NEGATIVE_INFINITY;

/** The sources and what is known of each: fetches are shared, and failures wait before the next try. */
class Sources {
  readonly #options: RemoteKeysOptions;
  readonly #entries = new BoundedMap<string, Entry>(MAX_SOURCES);
  readonly #fetches = new SingleFlight<Entry, KeySet>();

  constructor(options: RemoteKeysOptions) {
    this.#options = options;
  }

  #entry({ kind, url, caFile = '' }: KeySource): Entry {
    const key = JSON.stringify([kind, url, caFile]);
    const entry = this.#entries.get(key) ?? {
      keys: undefined,
      fetchedAt: NEVER,
      triedAt: NEVER,
      failures: 0,
      notBefore: NEVER,
    };
    this.#entries.set(key, entry);
    return entry;
  }

  /** @throws IssuerFailure `Unavailable` */
  async keys(source: KeySource, signal: AbortSignal): Promise<KeySet> {
    const entry = this.#entry(source);
    const now = this.#options.clock.monotonic();
    const age = now - entry.fetchedAt;
    if (entry.keys && age <= LONGEST_MS) {
      // In the background: what it throws is logged, and the keys that are kept are good for a while.
      if (age > REFRESH_MS && now >= entry.notBefore) this.#fetch(source, entry).catch(() => undefined);
      return entry.keys;
    }
    if (!this.#fetches.has(entry) && now < entry.notBefore) throw unavailable();
    return unlessAborted(this.#fetch(source, entry), signal, calledOff);
  }

  /** Other keys than `known` if there are any by now; asks for them at a bounded rate. */
  async others(source: KeySource, known: KeySet, signal: AbortSignal): Promise<KeySet | undefined> {
    const entry = this.#entry(source);
    if (entry.keys !== known && entry.keys) return entry.keys;
    const now = this.#options.clock.monotonic();
    const isTooSoon = now - entry.triedAt < UNKNOWN_KID_MS || now < entry.notBefore;
    if (!this.#fetches.has(entry) && isTooSoon) return undefined;
    // The issuer may not answer: then what is known decides.
    return unlessAborted(
      this.#fetch(source, entry).catch(() => undefined),
      signal,
      calledOff,
    );
  }

  #fetch(source: KeySource, entry: Entry): Promise<KeySet> {
    return this.#fetches.run(entry, () => this.#load(source, entry));
  }

  async #load({ kind, url, caFile }: KeySource, entry: Entry): Promise<KeySet> {
    const { clock, log } = this.#options;
    const startedAt = clock.monotonic();
    entry.triedAt = startedAt;
    const fetchKeys = kind === 'jwks' ? fetchJwks : fetchIssuerKeys;
    try {
      entry.keys = createKeySet(await fetchKeys(this.#options, url, { caFile }));
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

/** Makes {@link RemoteKeys}; `fetchJson` brings the limits of time, size and address. */
export const createRemoteKeys = (options: RemoteKeysOptions): RemoteKeys => {
  const sources = new Sources(options);
  return {
    verify: async (jwt, source, signal) => {
      const keys = await sources.keys(source, signal);
      let verification = await keys.verify(jwt);
      if (verification.kind === 'unknownKey') {
        const others = await sources.others(source, keys, signal);
        if (others && others !== keys) verification = await others.verify(jwt);
      }
      return verification.kind === 'valid' ? verification.claims : undefined;
    },
  };
};
