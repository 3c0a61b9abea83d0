import { createHash } from 'node:crypto';
import { BoundedMap } from '../../async/bounded-map.ts';
import { type Rate, TokenBucket } from '../../async/token-bucket.ts';
import type { MonotonicClock } from '../../ports/clock.ts';

/** Who tried to authenticate: what was given as client ID, and from where. */
export interface Attempt {
  readonly clientID: string;
  readonly address: string;
}

/** Counts failed client authentications (spec §4), and never looks at those that succeed: a right secret is accepted whatever else was tried. */
export interface FailureLimit {
  /** Whether this pair has used up its failures. */
  isOver(attempt: Attempt): boolean;
  /** Takes note of a failure; false where the pair, or everybody together, had used theirs up before. */
  note(attempt: Attempt): boolean;
}

export interface FailureLimitOptions {
  readonly clock: MonotonicClock;
  readonly pair?: Rate;
  readonly total?: Rate;
  /** Pairs that are remembered; the one whose failure lies back furthest is forgotten first. */
  readonly pairs?: number;
}

/** A mistyped secret, or a rotation that reaches a workload late, stays below it; 600 guesses per hour find nothing. */
const PAIR: Rate = { burst: 10, refillMs: 6000 };
/** More than legitimate failures add up to; it limits guessing from many addresses or for many client IDs. */
const TOTAL: Rate = { burst: 1000, refillMs: 10 };
/** Some 200 bytes each. */
const PAIRS = 10_000;

/** Of one length, however long what was given. */
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
      // One pair alone can't use up what all have together.
      return bucket.take(now) === 0 && all.take(now) === 0;
    },
  };
};
