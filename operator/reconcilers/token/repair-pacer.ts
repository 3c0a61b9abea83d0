import { BoundedMap } from '../../async/bounded-map.ts';
import { type Rate, TokenBucket } from '../../async/token-bucket.ts';

const REPAIRS: Rate = { burst: 3, refillMs: 20_000 };
/** Keys that are remembered; the oldest go beyond this. */
const MAX_KEYS = 10_000;

/**
 * Keeps a repair that something undoes at once (an admission webhook, another controller) from becoming a hot loop: each key may
 * be repaired a few times in a row, then at a slow pace.
 */
export class RepairPacer {
  readonly #buckets = new BoundedMap<string, TokenBucket>(MAX_KEYS);

  /** Takes one repair from the key's allowance: 0, or after how many milliseconds to ask again. */
  take(key: string, now: number): number {
    const bucket = this.#buckets.get(key) ?? new TokenBucket(REPAIRS);
    const waitMs = bucket.take(now);
    if (waitMs === 0) this.#buckets.set(key, bucket);
    return waitMs;
  }
}
