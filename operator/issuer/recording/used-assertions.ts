import { keyOf } from '../../api/meta.ts';
import { withDeadline } from '../../async/abort.ts';
import { BoundedMap } from '../../async/bounded-map.ts';
import { MAX_CLOCK_SKEW_SECONDS } from '../../domain/jwt/claims.ts';
import type { CachedIssuedToken } from '../../domain/record/cached-issued-token.ts';
import { REPLAY_WINDOW_SECONDS } from '../../domain/record/issued-token.ts';
import { replayableUntil } from '../../domain/record/issued-token-plan.ts';
import type { Cache, Cacheable } from '../../ports/cache.ts';
import type { MonotonicClock } from '../../ports/clock.ts';
import type { WatchCoverage } from '../../ports/watch-coverage.ts';
import { IssuerFailure } from '../failure.ts';

/** The use of an assertion that may be used for one token only. */
interface AssertionUse {
  readonly namespace: string;
  /** The `jti` that is derived from the assertion, which is the name of its record. */
  readonly name: string;
  /** No use can have been earlier, by the claims of the assertion; seconds since the Unix epoch. */
  readonly earliestUse: number;
}

/**
 * Why an assertion can't be used: it was used before, or this replica can't know, since a record of an earlier use may have been
 * deleted before its watch began.
 */
export type AssertionProblem = 'AssertionUsed' | 'AssertionTooOld';

/** Which assertions were used though no record says so any more (spec §4, Replay). */
export interface UsedAssertions {
  /** Before the record is created. @throws IssuerFailure `Unavailable` while the watch of the records is stale */
  findProblem(use: AssertionUse): AssertionProblem | undefined;
  /**
   * After the record was created: waits until the watch shows it, since every deletion of an earlier record of that name is then
   * known too. @throws IssuerFailure `Unavailable`
   */
  confirm(use: AssertionUse, created: Cacheable, signal: AbortSignal): Promise<AssertionProblem | undefined>;
  /** Ends the watching. */
  stop(): void;
}

export interface UsedAssertionsOptions {
  readonly issued: Pick<Cache<CachedIssuedToken>, 'get'>;
  /** Of the watch of that cache. */
  readonly coverage: WatchCoverage<CachedIssuedToken>;
  /** Whether that watch is fresh in a namespace. */
  readonly isFresh: (namespace: string) => boolean;
  /** Seconds that this replica's clock is ahead of the API server's. */
  readonly skewSeconds: () => number;
  readonly clock: MonotonicClock;
}

/** Deletions that are remembered, some 150 bytes each. */
export const MAX_DELETIONS = 50_000;
/** The replica that recorded an assertion, and this one, may each be off the API server's clock. */
const SKEW_MS = MAX_CLOCK_SKEW_SECONDS * 1000;
/** An assertion is accepted for no longer after the deletion of its record. */
const REMEMBERED_MS = REPLAY_WINDOW_SECONDS * 1000 + 2 * SKEW_MS;
/** A watch shows a write within milliseconds. */
const CONFIRM_MS = 5000;

const unavailable = (cause?: unknown): IssuerFailure =>
  new IssuerFailure('Unavailable', 'whether the assertion was used is not known now, try again later', {
    detail: 'the watch of the records is stale',
    cause,
  });

/**
 * Makes {@link UsedAssertions}. Only records whose `jti` is derived from an assertion are remembered, and only those that were
 * deleted while the assertion could be used again. If there are too many, they are forgotten, and what was signed before counts as
 * too old: bounded, and closed. Call it before the cache starts.
 */
export const watchUsedAssertions = (options: UsedAssertionsOptions): UsedAssertions => {
  const { issued, coverage, isFresh, skewSeconds, clock } = options;
  /** By `jti`, until when it is remembered; monotonic milliseconds. The oldest first. */
  const deletions = new BoundedMap<string, number>(MAX_DELETIONS);
  /** When deletions were last forgotten before their time; epoch milliseconds. */
  let forgottenAt = 0;

  const forgetPast = (now: number): void => {
    for (const id of deletions.keys()) {
      if ((deletions.get(id) ?? 0) > now) return;
      deletions.delete(id);
    }
  };

  const remember = (record: CachedIssuedToken): void => {
    if (replayableUntil(record) * 1000 + SKEW_MS <= clock.now()) return;
    const now = clock.monotonic();
    forgetPast(now);
    if (deletions.size === MAX_DELETIONS) {
      deletions.clear();
      forgottenAt = clock.now();
    }
    deletions.set(record.id, now + REMEMBERED_MS);
  };

  /** In epoch milliseconds by this clock or the API server's, whichever is ahead: clients are more likely to follow that one. */
  const knownSince = (namespace: string): number => {
    const completeSince = coverage.completeSince(namespace);
    if (completeSince === undefined || !isFresh(namespace)) throw unavailable();
    return Math.max(completeSince, forgottenAt) + Math.max(0, -skewSeconds()) * 1000;
  };

  const findDeletion = ({ namespace, name, earliestUse }: AssertionUse): AssertionProblem | undefined => {
    const since = knownSince(namespace);
    if ((deletions.get(name) ?? 0) > clock.monotonic()) return 'AssertionUsed';
    return earliestUse * 1000 < since ? 'AssertionTooOld' : undefined;
  };

  return {
    findProblem: (use) => (issued.get(keyOf(use)) === undefined ? findDeletion(use) : 'AssertionUsed'),
    confirm: async (use, created, signal) => {
      try {
        await withDeadline({ clock, ms: CONFIRM_MS, signal }, (ended) => coverage.reached(created, ended));
      } catch (error) {
        throw unavailable(error);
      }
      return findDeletion(use);
    },
    stop: coverage.onDeleted(remember),
  };
};
