import { secondsOf } from '../../api/time.ts';
import type { Token } from '../../api/token.ts';
import type { CachedIssuedToken } from '../../domain/record/cached-issued-token.ts';
import type { CachedTokenBatch } from '../../domain/record/cached-token-batch.ts';
import { blacklistedAtOf } from '../../domain/record/token-record.ts';
import type { Cache, CacheChange } from '../../ports/cache.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Metrics } from '../../ports/metrics.ts';

export interface RevocationOptions {
  readonly tokens: Pick<Cache<Token>, 'onChange'>;
  readonly issued: Pick<Cache<CachedIssuedToken>, 'onChange'>;
  readonly batches: Pick<Cache<CachedTokenBatch>, 'onChange'>;
  /** Only the leader counts a blacklisting. */
  readonly isLeading: () => boolean;
  readonly clock: Clock;
  readonly metrics: Pick<Metrics, 'revocationSeen' | 'tokenBlacklisted'>;
}

/** The times, in seconds since the Unix epoch, of blacklistings that are new in a change. */
type NewRevocations<T> = (now: T, before: T) => readonly number[];

/** For objects with one record; `revokedAt` is 0 or undefined without a time in the status. */
const ofOne =
  <T>(revokedAt: (object: T) => number | undefined): NewRevocations<T> =>
  (now, before) => {
    const since = revokedAt(before) ? undefined : revokedAt(now);
    return since ? [since] : [];
  };

const ofBatch: NewRevocations<CachedTokenBatch> = (now, before) =>
  Object.entries(now.blacklisted)
    .filter(([position]) => before.blacklisted[position] === undefined)
    .map(([, time]) => secondsOf(time));

/**
 * Counts tokens that become blacklisted, whoever wrote that, and measures how long it took to be known here (spec §3, Revocation). What
 * the first list brings is old and not counted. Call it before the caches start; the returned function stops it.
 */
export const watchRevocations = (options: RevocationOptions): (() => void) => {
  const { tokens, issued, batches, isLeading, clock, metrics } = options;
  const note =
    <T>(revocations: NewRevocations<T>) =>
    (change: CacheChange<T>): void => {
      if (change.type === 'delete' || change.old === undefined) return;
      for (const since of revocations(change.object, change.old)) {
        metrics.revocationSeen(Math.max(0, clock.now() / 1000 - since));
        if (isLeading()) metrics.tokenBlacklisted();
      }
    };
  const stops = [
    tokens.onChange(note(ofOne(blacklistedAtOf))),
    issued.onChange(note(ofOne(({ blacklistedAt }: CachedIssuedToken) => blacklistedAt))),
    batches.onChange(note(ofBatch)),
  ];
  return () => {
    for (const stop of stops) stop();
  };
};
