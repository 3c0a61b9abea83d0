import type { TokenReason } from '../../api/conditions.ts';
import type { Token } from '../../api/token.ts';
import { BoundedMap } from '../../async/bounded-map.ts';
import { floorSeconds } from '../../domain/timestamps.ts';
import type { KnownBlocker } from '../../domain/token/token-observation.ts';
import { retriedReasonOf } from '../../domain/token/token-obstacle.ts';

/** Tokens that are remembered; the oldest go beyond this. */
const MAX_TOKENS = 10_000;

/** Since when each Token has met what it meets: a condition's `lastTransitionTime` moves with its status, not with its reason. */
export class BlockerTimes {
  readonly #known = new BoundedMap<string, KnownBlocker>(MAX_TOKENS);

  /** What is remembered of a Token; undefined after a restart, or where there were too many. */
  of(uid: string): KnownBlocker | undefined {
    return this.#known.get(uid);
  }

  /** Takes note of what a Token's status says after a pass; `now` in milliseconds. */
  note({ metadata, status }: Token, now: number): void {
    const reason: TokenReason | undefined = retriedReasonOf(status);
    if (reason === undefined) {
      this.#known.delete(metadata.uid);
      return;
    }
    if (this.#known.get(metadata.uid)?.reason === reason) return;
    this.#known.set(metadata.uid, { reason, since: floorSeconds(now) });
  }
}
