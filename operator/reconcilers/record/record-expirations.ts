import type { CachedIssuedToken } from '../../domain/record/cached-issued-token.ts';
import type { CachedTokenBatch } from '../../domain/record/cached-token-batch.ts';
import type { RecordExpiry, RecordObject } from '../../domain/record/token-record.ts';
import type { Cache } from '../../ports/cache.ts';
import { ISSUED_TOKEN_KIND, type RecordObjectKind, TOKEN_BATCH_KIND } from './record-kinds.ts';

type Followed<T> = Pick<Cache<T>, 'onChange' | 'values'>;

/** The caches of records of issued tokens. */
export interface RecordCaches {
  readonly issued: Followed<CachedIssuedToken>;
  readonly batches: Followed<CachedTokenBatch>;
}

/** What is counted of the tokens that a key has signed and that are not blacklisted. */
interface Tally {
  /** How many never expire. */
  unbounded: number;
  /** How many expire in which second since the Unix epoch. */
  readonly bySecond: Map<number, number>;
}

/**
 * When the last issued token of a key expires. It is counted as records come and go, on every replica: looking at every
 * record of a key when a SigningKey is planned would hold up the event loop for a third of a microsecond each.
 */
export class RecordExpirations {
  readonly #caches: RecordCaches;
  readonly #tallies = new Map<string, Tally>();

  constructor(caches: RecordCaches) {
    this.#caches = caches;
  }

  /** Follows the caches from now on; to be called once. Returns the function that ends it. */
  connect(): () => void {
    const { issued, batches } = this.#caches;
    const stops = [this.#follow(issued, ISSUED_TOKEN_KIND), this.#follow(batches, TOKEN_BATCH_KIND)];
    return () => {
      for (const stop of stops) stop();
    };
  }

  /** The latest expiration after `start`, both in seconds since the Unix epoch; `start` where there is none. */
  lastOf(kid: string, start: number): number | 'never' {
    const tally = this.#tallies.get(kid);
    if (tally === undefined) return start;
    if (tally.unbounded > 0) return 'never';
    let last = start;
    for (const second of tally.bySecond.keys()) if (second > last) last = second;
    return last;
  }

  #follow<T extends RecordObject>(
    cache: Followed<T>,
    { expiries }: Pick<RecordObjectKind<T>, 'expiries'>,
  ): () => void {
    const count = (object: T, by: 1 | -1): void => {
      for (const term of expiries(object)) this.#count(term, by);
    };
    for (const object of cache.values()) count(object, 1);
    return cache.onChange((change) => {
      if (change.old) count(change.old, -1);
      if (change.type === 'set') count(change.object, 1);
    });
  }

  #count({ keyID, expiration, blacklistedAt }: RecordExpiry, by: 1 | -1): void {
    if (blacklistedAt !== undefined) return;
    const tally = this.#tallies.get(keyID) ?? { unbounded: 0, bySecond: new Map<number, number>() };
    if (expiration === undefined) tally.unbounded += by;
    else {
      const count = (tally.bySecond.get(expiration) ?? 0) + by;
      if (count === 0) tally.bySecond.delete(expiration);
      else tally.bySecond.set(expiration, count);
    }
    if (tally.unbounded === 0 && tally.bySecond.size === 0) this.#tallies.delete(keyID);
    else this.#tallies.set(keyID, tally);
  }
}
