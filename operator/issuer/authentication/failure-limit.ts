import { createHash } from 'node:crypto';
import { BoundedMap } from '../../async/bounded-map.ts';
import { type Rate, TokenBucket } from '../../async/token-bucket.ts';
import { addressGroup } from '../../domain/caller-address.ts';
import type { MonotonicClock } from '../../ports/clock.ts';

/** The origin of an authentication attempt: the claimed client ID, and the address. */
export interface Attempt {
  readonly clientID: string;
  readonly address: string;
}

/**
 * Limits failed client authentications per client ID and address together, per client ID, per address (IPv6 by /64), and in total
 * (spec §4). Correct credentials are accepted even beyond the limit.
 */
export interface FailureLimit {
  /** Whether this client ID and address, or either of them, or all attempts together have exceeded their limit. */
  isOver(attempt: Attempt): boolean;
  /** Counts a failure; false if it exceeds one of the limits. */
  note(attempt: Attempt): boolean;
}

export interface FailureLimitOptions {
  readonly clock: MonotonicClock;
  readonly pair?: Rate;
  /** Of a client ID from all addresses, and of an address under all client IDs. */
  readonly either?: Rate;
  readonly total?: Rate;
  /** Pairs, client IDs and addresses that are tracked, of each; the one whose last failure is oldest is dropped first. */
  readonly tracked?: number;
}

/** Enough for mistyped secrets, and for workloads that a rotation reaches late; too little for guessing. */
const PAIR: Rate = { burst: 10, refillMs: 6000 };
/** Enough for all workloads of a client, and for all clients behind a proxy; a tenth of the total. */
const EITHER: Rate = { burst: 100, refillMs: 100 };
/** More than legitimate failures add up to; limits guessing from many addresses for many client IDs. */
const TOTAL: Rate = { burst: 1000, refillMs: 10 };
/** About 200 bytes each. */
const TRACKED = 10_000;
/** Longer client IDs, which anybody can make up, are kept as their digest. */
const MAX_KEY = 64;

/** A key of bounded length. */
const shortened = (text: string): string =>
  text.length > MAX_KEY ? createHash('sha256').update(text).digest('base64') : text;

/** The buckets of what is tracked, by key. One that is not tracked is full. */
class Buckets {
  readonly #byKey: BoundedMap<string, TokenBucket>;
  readonly #rate: Rate;

  constructor(rate: Rate, limit: number) {
    this.#rate = rate;
    this.#byKey = new BoundedMap(limit);
  }

  has(key: string): boolean {
    return this.#byKey.has(key);
  }

  isEmpty(key: string, now: number): boolean {
    return (this.#byKey.get(key)?.waitMs(now) ?? 0) > 0;
  }

  /** Makes a key the last one to be dropped. */
  track(key: string): TokenBucket {
    const bucket = this.#byKey.get(key) ?? new TokenBucket(this.#rate);
    this.#byKey.set(key, bucket);
    return bucket;
  }
}

/** Makes a {@link FailureLimit} of token buckets. */
export const createFailureLimit = (options: FailureLimitOptions): FailureLimit => {
  const { clock, pair = PAIR, either = EITHER, total = TOTAL, tracked = TRACKED } = options;
  const pairs = new Buckets(pair, tracked);
  const clients = new Buckets(either, tracked);
  const addresses = new Buckets(either, tracked);
  const all = new TokenBucket(total);

  const keysOf = ({ clientID, address }: Attempt) => {
    const client = shortened(clientID);
    const group = addressGroup(address);
    // No address has a space.
    return { client, address: group, pair: `${group} ${client}` };
  };

  return {
    isOver: (attempt) => {
      const keys = keysOf(attempt);
      const now = clock.monotonic();
      return (
        pairs.isEmpty(keys.pair, now) ||
        clients.isEmpty(keys.client, now) ||
        addresses.isEmpty(keys.address, now) ||
        all.waitMs(now) > 0
      );
    },
    note: (attempt) => {
      const keys = keysOf(attempt);
      const now = clock.monotonic();
      // Beyond its limit an address can't make up client IDs to have others dropped.
      if (addresses.isEmpty(keys.address, now) && !pairs.has(keys.pair)) return false;
      const buckets = [
        pairs.track(keys.pair),
        clients.track(keys.client),
        addresses.track(keys.address),
        all,
      ];
      // What exceeds one limit counts for no other: a pair can't exhaust that of its client or address, nor these the total one.
      if (buckets.some((bucket) => bucket.waitMs(now) > 0)) return false;
      for (const bucket of buckets) bucket.take(now);
      return true;
    },
  };
};
