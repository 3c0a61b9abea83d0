import type { TokenReason } from '../../api/conditions.ts';
import { floorSeconds } from '../../api/time.ts';
import type { Token } from '../../api/token.ts';
import { BoundedMap } from '../../async/bounded-map.ts';
import { type Rate, TokenBucket } from '../../async/token-bucket.ts';
import { retriedReasonOf } from '../../domain/token/token-delivery.ts';
import type { KnownBlocker, SecretFailure } from '../../domain/token/token-observation.ts';

/** The number of blocked Tokens that are remembered; beyond it the oldest entry is evicted. */
const MAX_BLOCKED = 10_000;
/** The number of paced Tokens that are remembered, 0.1 KB each; beyond it the one that was paced longest ago is evicted. */
const MAX_PACED = 100_000;

/** Since when each Token has been blocked by the same reason; the `lastTransitionTime` of a condition changes with its status only. */
export class BlockerTimes {
  readonly #blockers = new BoundedMap<string, KnownBlocker>(MAX_BLOCKED);

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
 * Repairs of one Token's Secret (spec §2.1), so that one that is undone at once (by an admission webhook or another controller) does
 * not become a hot loop.
 */
export const REPAIRS: Rate = { burst: 3, refillMs: 20_000 };

/** The shortest and the longest time between two writes of a JWT that others change, in milliseconds (spec §2.1, SecretRefused). */
const ALTERED_RETRY = { shortestMs: 15_000, longestMs: 600_000 } as const;

interface Altered {
  /** Of the Secret as it was stored. */
  readonly resourceVersion: string;
  readonly failure: SecretFailure;
  readonly delayMs: number;
  readonly retryAt: number;
}

/**
 * Secrets whose JWT a policy changed before they were stored. Such a write succeeds and is watched, unlike one that is rejected: its own
 * event must not cause the next one. Times in milliseconds since the Unix epoch.
 */
export class AlteredSecrets {
  readonly #known = new BoundedMap<string, Altered>(MAX_BLOCKED);

  note(
    uid: string,
    { resourceVersion, failure }: Pick<Altered, 'resourceVersion' | 'failure'>,
    now: number,
  ): void {
    const { shortestMs, longestMs } = ALTERED_RETRY;
    const delayMs = Math.min((this.#known.get(uid)?.delayMs ?? shortestMs / 2) * 2, longestMs);
    this.#known.set(uid, { resourceVersion, failure, delayMs, retryAt: now + delayMs });
  }

  /** A write of the Token's JWT was stored as it was sent. */
  clear(uid: string): void {
    this.#known.delete(uid);
  }

  /** The failure, if the Secret is as it was stored then, and its retry is not due. */
  failureOf(uid: string, resourceVersion: string | undefined, now: number): SecretFailure | undefined {
    const altered = this.#known.get(uid);
    return altered?.resourceVersion === resourceVersion && now < (altered?.retryAt ?? 0)
      ? altered?.failure
      : undefined;
  }
}

/** An allowance for each Token: its `rate.burst` at once, then one every `rate.refillMs`. Times in milliseconds since the Unix epoch. */
export class TokenPace {
  readonly #rate: Rate;
  readonly #buckets = new BoundedMap<string, TokenBucket>(MAX_PACED);

  constructor(rate: Rate) {
    this.#rate = rate;
  }

  /** Takes one from a Token's allowance and returns 0, or returns how long to wait for the next one, in milliseconds. */
  take(uid: string, now: number): number {
    const bucket = this.#buckets.get(uid) ?? new TokenBucket(this.#rate);
    const waitMs = bucket.take(now);
    if (waitMs === 0) this.#buckets.set(uid, bucket);
    return waitMs;
  }

  /** How long to wait until one can be taken, in milliseconds; 0: now. */
  waitMs(uid: string, now: number): number {
    return this.#buckets.get(uid)?.waitMs(now) ?? 0;
  }

  /** When one can be taken; undefined: now. */
  possibleAt(uid: string, now: number): number | undefined {
    const waitMs = this.waitMs(uid, now);
    return waitMs > 0 ? now + waitMs : undefined;
  }
}
