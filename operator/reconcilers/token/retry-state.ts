import type { TokenReason } from '../../api/conditions.ts';
import type { Token } from '../../api/token.ts';
import { BoundedMap } from '../../async/bounded-map.ts';
import { type Rate, TokenBucket } from '../../async/token-bucket.ts';
import { floorSeconds } from '../../domain/timestamps.ts';
import { retriedReasonOf } from '../../domain/token/token-delivery.ts';
import type { KnownBlocker } from '../../domain/token/token-observation.ts';

/** The number of Tokens that each map holds; beyond it the oldest entry is evicted. */
const MAX_TOKENS = 10_000;
/** Repairs of one Token (spec §2.1). */
const REPAIRS: Rate = { burst: 3, refillMs: 20_000 };

/** Since when each Token has been blocked by the same reason; the `lastTransitionTime` of a condition changes with its status only. */
export class BlockerTimes {
  readonly #blockers = new BoundedMap<string, KnownBlocker>(MAX_TOKENS);

  /** The blocker of the Token with that uid; undefined if there is none, and after a restart or an eviction. */
  of(uid: string): KnownBlocker | undefined {
    return this.#blockers.get(uid);
  }

  /** Records the reason in a Token's status after a reconcile; `now` in milliseconds since the Unix epoch. */
  note({ metadata, status }: Token, now: number): void {
    const reason: TokenReason | undefined = retriedReasonOf(status);
    if (reason === undefined) this.#blockers.delete(metadata.uid);
    else if (this.#blockers.get(metadata.uid)?.reason !== reason)
      this.#blockers.set(metadata.uid, { reason, since: floorSeconds(now) });
  }
}

/**
 * Limits repairs of a Secret, so that one that is undone at once (by an admission webhook or another controller) does not become a
 * hot loop: three in a row, then one every 20 s for each Token (spec §2.1).
 */
export class RepairLimiter {
  readonly #buckets = new BoundedMap<string, TokenBucket>(MAX_TOKENS);

  /** Takes one repair from a Token's allowance and returns 0, or returns how long to wait for the next one, in milliseconds. */
  take(uid: string, now: number): number {
    const bucket = this.#buckets.get(uid) ?? new TokenBucket(REPAIRS);
    const waitMs = bucket.take(now);
    if (waitMs === 0) this.#buckets.set(uid, bucket);
    return waitMs;
  }
}
