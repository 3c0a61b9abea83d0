import { keyOf } from '../../api/meta.ts';
import type { OAuthClient } from '../../api/oauth-client.ts';
import { floorSeconds } from '../../api/time.ts';
import { type CachedIssuedToken, ISSUED_INDEX } from '../../domain/record/cached-issued-token.ts';
import { BATCH_INDEX, type CachedTokenBatch, expiriesOf } from '../../domain/record/cached-token-batch.ts';
import type { RecordExpiry, RecordObject } from '../../domain/record/token-record.ts';
import type { Cache } from '../../ports/cache.ts';

type Followed<T> = Pick<Cache<T>, 'byIndex' | 'onChange' | 'synced'>;

/** The caches of records of issued tokens. */
export interface RecordCaches {
  readonly issued: Followed<CachedIssuedToken>;
  readonly batches: Followed<CachedTokenBatch>;
}

/** How far ahead the next expiry is searched, in seconds. */
const MAX_WAIT_SECONDS = 60;

/**
 * The live tokens of one client, by the second in which they expire. Expired ones are taken out when the count is read: what that
 * costs is the seconds since the last time, or the seconds in which a token expires, whichever are fewer.
 */
export class LiveTally {
  readonly uid: string;
  /** Tokens that this replica is about to record. */
  pending = 0;
  #live = 0;
  readonly #bySecond = new Map<number, number>();
  /** Up to and including this second, tokens have been taken out. */
  #expiredUntil = 0;

  constructor(uid: string) {
    this.uid = uid;
  }

  /** Live and pending tokens; `now` in milliseconds since the Unix epoch. */
  count(now: number): number {
    this.#expire(floorSeconds(now));
    return this.#live + this.pending;
  }

  /** Adds (1) or removes (-1) a record, unless its token can't be valid: blacklisted, or created again. */
  add({ expiration, blacklistedAt, isRestored }: RecordExpiry, by: 1 | -1): void {
    if (blacklistedAt !== undefined || isRestored) return;
    if (expiration !== undefined) {
      if (expiration <= this.#expiredUntil) return;
      const count = (this.#bySecond.get(expiration) ?? 0) + by;
      if (count === 0) this.#bySecond.delete(expiration);
      else this.#bySecond.set(expiration, count);
    }
    this.#live += by;
  }

  /** Seconds until the next token expires: at least 1, and at most a minute, since one may be revoked before. */
  secondsUntilExpiry(now: number): number {
    const start = floorSeconds(now);
    for (let seconds = 1; seconds < MAX_WAIT_SECONDS; seconds += 1) {
      if (this.#bySecond.has(start + seconds)) return seconds;
    }
    return MAX_WAIT_SECONDS;
  }

  #expire(until: number): void {
    const from = this.#expiredUntil;
    if (until <= from) return;
    this.#expiredUntil = until;
    if (until - from > this.#bySecond.size) {
      for (const second of this.#bySecond.keys()) if (second <= until) this.#drop(second);
      return;
    }
    for (let second = from + 1; second <= until; second += 1) this.#drop(second);
  }

  #drop(second: number): void {
    this.#live -= this.#bySecond.get(second) ?? 0;
    this.#bySecond.delete(second);
  }
}

/** Records that are counted before others get their turn of the event loop: some 5 ms. */
const RECORDS_PER_TURN = 4096;

const ownExpiry = (record: CachedIssuedToken): readonly RecordExpiry[] => [record];

/** Counts the live issued tokens of the clients for which it is asked: from the caches at first, then as their records come and go. */
export class LiveTokens {
  readonly #caches: RecordCaches;
  readonly #defer: (work: () => void) => void;
  /** By `<namespace>/<name>`. */
  readonly #tallies = new Map<string, LiveTally>();

  /** `defer` runs its argument in a later turn of the event loop. */
  constructor(caches: RecordCaches, defer: (work: () => void) => void) {
    this.#caches = caches;
    this.#defer = defer;
  }

  /** Follows the caches from now on; to be called once. Returns the function that ends it. */
  connect(): () => void {
    const { issued, batches } = this.#caches;
    const stops = [this.#follow(issued, ownExpiry), this.#follow(batches, expiriesOf)];
    return () => {
      for (const stop of stops) stop();
    };
  }

  /** The caches have all records there are. */
  get isKnown(): boolean {
    const { issued, batches } = this.#caches;
    return issued.synced && batches.synced;
  }

  /** Of a client; counts its records at the first call for it: some at once, the rest in later turns of the event loop. */
  of({ metadata }: OAuthClient): LiveTally {
    const key = keyOf(metadata);
    const known = this.#tallies.get(key);
    if (known?.uid === metadata.uid) return known;
    const tally = new LiveTally(metadata.uid);
    this.#tallies.set(key, tally);
    this.#countSome(key, tally, this.#recordsOf(key));
    return tally;
  }

  /** The client is gone, or its tokens are not limited any more. */
  forget(key: string): void {
    this.#tallies.delete(key);
  }

  /** As they are now: objects of caches never change. */
  *#recordsOf(key: string): Generator<readonly [RecordObject, readonly RecordExpiry[]]> {
    const { issued, batches } = this.#caches;
    const [records, objects] = [
      [...issued.byIndex(ISSUED_INDEX.client, key)],
      [...batches.byIndex(BATCH_INDEX.client, key)],
    ];
    for (const record of records) yield [record, [record]];
    for (const batch of objects) yield [batch, expiriesOf(batch)];
  }

  /**
   * Counts so many of the rest. What changes meanwhile is counted as it changes: the sum is the same whichever comes first, and until the
   * end of it less than all.
   */
  #countSome(
    key: string,
    tally: LiveTally,
    rest: Iterator<readonly [RecordObject, readonly RecordExpiry[]]>,
  ): void {
    for (let count = 0; count < RECORDS_PER_TURN; ) {
      const next = rest.next();
      if (next.done) return;
      const [object, expiries] = next.value;
      if (object.clientUID === tally.uid) for (const expiry of expiries) tally.add(expiry, 1);
      count += expiries.length + 1;
    }
    this.#defer(() => {
      if (this.#tallies.get(key) === tally) this.#countSome(key, tally, rest);
    });
  }

  #follow<T extends RecordObject>(
    cache: Followed<T>,
    expiries: (object: T) => readonly RecordExpiry[],
  ): () => void {
    return cache.onChange((change) => {
      const { client } = change.type === 'set' ? change.object : change.old;
      const tally = this.#tallies.get(client);
      if (tally === undefined) return;
      if (change.old) this.#count(tally, change.old, expiries, -1);
      if (change.type === 'set') this.#count(tally, change.object, expiries, 1);
    });
  }

  #count<T extends RecordObject>(
    tally: LiveTally,
    object: T,
    expiries: (object: T) => readonly RecordExpiry[],
    by: 1 | -1,
  ): void {
    if (object.clientUID !== tally.uid) return;
    for (const expiry of expiries(object)) tally.add(expiry, by);
  }
}
