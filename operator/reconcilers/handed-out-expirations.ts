import type { IssuedRecord } from '../domain/issued-record.ts';
import type { Cache, CacheChange } from '../ports/cache.ts';

/** What is counted of the tokens that a key has signed and that are not blacklisted. */
interface Tally {
  /** How many never expire. */
  unbounded: number;
  /** How many expire in which second since the Unix epoch. */
  readonly bySecond: Map<number, number>;
}

/**
 * When the last handed-out token of a key expires. It is counted as records come and go, on every replica: looking at every
 * record of a key when a SigningKey is planned would hold up the event loop for a third of a microsecond each.
 */
export class HandedOutExpirations {
  readonly #records: Pick<Cache<IssuedRecord>, 'onChange' | 'values'>;
  readonly #tallies = new Map<string, Tally>();

  constructor(records: Pick<Cache<IssuedRecord>, 'onChange' | 'values'>) {
    this.#records = records;
  }

  /** Follows the cache from now on; to be called once. Returns the function that ends it. */
  connect(): () => void {
    for (const record of this.#records.values()) this.#count(record, 1);
    return this.#records.onChange((change) => this.#onChange(change));
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

  #onChange(change: CacheChange<IssuedRecord>): void {
    if (change.old) this.#count(change.old, -1);
    if (change.type === 'set') this.#count(change.object, 1);
  }

  #count({ keyID, expiration, blacklistedAt }: IssuedRecord, by: 1 | -1): void {
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
