import { createHash } from 'node:crypto';
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

/** So many at once, then so many a second. */
interface Rate {
  readonly burst: number;
  readonly perSecond: number;
}

export interface FailureLimitOptions {
  readonly clock: MonotonicClock;
  readonly pair?: Rate;
  readonly total?: Rate;
  /** Pairs that are remembered; the one whose failure lies back furthest is forgotten first. */
  readonly pairs?: number;
}

/** Somebody who mistypes a secret, or a rotation that reaches a workload late, stays below; 600 guesses an hour find nothing. */
const PAIR: Rate = { burst: 10, perSecond: 1 / 6 };
/** Beyond what honest failures add up to; it bounds what guessing from many addresses, or at many client IDs, is told. */
const TOTAL: Rate = { burst: 1000, perSecond: 100 };
/** Some 200 bytes each. */
const PAIRS = 10_000;

interface Bucket {
  left: number;
  filledAt: number;
}

const fill = (bucket: Bucket, { burst, perSecond }: Rate, now: number): void => {
  const earned = ((now - bucket.filledAt) / 1000) * perSecond;
  bucket.left = Math.min(burst, bucket.left + earned);
  bucket.filledAt = now;
};

const take = (bucket: Bucket): boolean => {
  if (bucket.left < 1) return false;
  bucket.left -= 1;
  return true;
};

/** Of one length, however long what was given. */
const keyOf = ({ clientID, address }: Attempt): string =>
  createHash('sha256').update(clientID).update('\0').update(address).digest('base64');

/** Makes a {@link FailureLimit} of token buckets. */
export const createFailureLimit = (options: FailureLimitOptions): FailureLimit => {
  const { clock, pair = PAIR, total = TOTAL, pairs = PAIRS } = options;
  const buckets = new Map<string, Bucket>();
  const all: Bucket = { left: total.burst, filledAt: clock.monotonic() };

  const filled = (key: string): Bucket => {
    const bucket = buckets.get(key) ?? { left: pair.burst, filledAt: clock.monotonic() };
    fill(bucket, pair, clock.monotonic());
    return bucket;
  };
  const remember = (key: string, bucket: Bucket): void => {
    buckets.delete(key);
    buckets.set(key, bucket);
    if (buckets.size <= pairs) return;
    const [oldest] = buckets.keys();
    if (oldest !== undefined) buckets.delete(oldest);
  };

  return {
    isOver: (attempt) => buckets.size > 0 && filled(keyOf(attempt)).left < 1,
    note: (attempt) => {
      const key = keyOf(attempt);
      const bucket = filled(key);
      remember(key, bucket);
      fill(all, total, clock.monotonic());
      // One pair alone can't use up what all have together.
      return take(bucket) && take(all);
    },
  };
};
