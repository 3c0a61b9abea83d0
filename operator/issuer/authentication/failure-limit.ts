import { createHash } from 'node:crypto';
import { BoundedMap } from '../../async/bounded-map.ts';
import { type Rate, TokenBucket } from '../../async/token-bucket.ts';
import type { MonotonicClock } from '../../ports/clock.ts';

/** The origin of an authentication attempt: the claimed client ID, and the address. */
export interface Attempt {
  readonly clientID: string;
  readonly address: string;
}

/** Limits failed client authentications per client ID and address, and in total (spec §4). Correct credentials are accepted even beyond the limit. */
export interface FailureLimit {
  /** Whether this client ID and address have exceeded their limit. */
  isOver(attempt: Attempt): boolean;
  /** Counts a failure; false if it exceeds the limit of the pair, or the total one. */
  note(attempt: Attempt): boolean;
}

export interface FailureLimitOptions {
  readonly clock: MonotonicClock;
  readonly pair?: Rate;
  readonly total?: Rate;
  /** Pairs that are tracked; the one whose last failure is oldest is dropped first. */
  readonly pairs?: number;
}

/** Enough for mistyped secrets, and for workloads that a rotation reaches late; too little for guessing. */
const PAIR: Rate = { burst: 10, refillMs: 6000 };
/** More than legitimate failures add up to; limits guessing from many addresses or for many client IDs. */
const TOTAL: Rate = { burst: 1000, refillMs: 10 };
/** About 200 bytes each. */
const PAIRS = 10_000;

/** A key of constant length. */
const keyOf = ({ clientID, address }: Attempt): string =>
  createHash('sha256').update(clientID).update('\0').update(address).digest('base64');

/** Makes a {@link FailureLimit} of token buckets. */
export const createFailureLimit = (options: FailureLimitOptions): FailureLimit => {
  const { clock, pair = PAIR, total = TOTAL, pairs = PAIRS } = options;
  const buckets = new BoundedMap<string, TokenBucket>(pairs);
  const all = new TokenBucket(total);
  const bucketOf = (key: string): TokenBucket => buckets.get(key) ?? new TokenBucket(pair);

  return {
    isOver: (attempt) => buckets.size > 0 && bucketOf(keyOf(attempt)).waitMs(clock.monotonic()) > 0,
    note: (attempt) => {
      const key = keyOf(attempt);
      const bucket = bucketOf(key);
      const now = clock.monotonic();
      buckets.set(key, bucket);
      // A single pair can't exhaust the total limit.
      return bucket.take(now) === 0 && all.take(now) === 0;
    },
  };
};
