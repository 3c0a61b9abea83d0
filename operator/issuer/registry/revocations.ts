import type { Token } from '../../api/token.ts';
import type { CachedIssuedToken } from '../../domain/record/cached-issued-token.ts';
import type { CachedTokenBatch } from '../../domain/record/cached-token-batch.ts';
import { blacklistedAtOf } from '../../domain/record/token-record.ts';
import { secondsOf } from '../../domain/timestamps.ts';
import type { Cache, CacheChange } from '../../ports/cache.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Metrics } from '../../ports/metrics.ts';

export interface RevocationOptions {
  readonly tokens: Pick<Cache<Token>, 'onChange'>;
  readonly issued: Pick<Cache<CachedIssuedToken>, 'onChange'>;
  readonly batches: Pick<Cache<CachedTokenBatch>, 'onChange'>;
  /** Each blacklisting is counted by one replica, the one that leads. */
  readonly isLeading: () => boolean;
  readonly clock: Clock;
  readonly metrics: Pick<Metrics, 'revocationSeen' | 'tokenBlacklisted'>;
}

/** Times, in seconds since the Unix epoch, of what a change shows to be blacklisted that was not before. */
type NewRevocations<T> = (now: T, before: T) => readonly number[];

/** `revokedAt` is what an object's status says; 0 or undefined where it says nothing. */
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
 * Counts what becomes blacklisted, whoever writes that, and measures how long it took to be known here (spec §3). What a
 * first list brings is old, and left out. To be called before the caches start; returns the function that ends it.
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
