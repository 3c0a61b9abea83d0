import type { Token } from '../../api/token.ts';
import type { IssuedRecord } from '../../domain/issued-record.ts';
import { blacklistedAtOf } from '../../domain/token-record.ts';
import type { Cache, CacheChange } from '../../ports/cache.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Metrics } from '../../ports/metrics.ts';

export interface RevocationOptions {
  readonly tokens: Pick<Cache<Token>, 'onChange'>;
  readonly issued: Pick<Cache<IssuedRecord>, 'onChange'>;
  /** Each blacklisting is counted by one replica, the one that leads. */
  readonly isLeading: () => boolean;
  readonly clock: Clock;
  readonly metrics: Pick<Metrics, 'revocationSeen' | 'tokenBlacklisted'>;
}

/**
 * Counts what becomes blacklisted, whoever writes that, and measures how long it took to be known here (contract §3). What a
 * first list brings is old, and left out. To be called before the caches start; returns the function that ends it.
 */
export const watchRevocations = (options: RevocationOptions): (() => void) => {
  const { tokens, issued, isLeading, clock, metrics } = options;
  /** `revokedAt` is what the status says, in seconds since the Unix epoch; 0 or undefined where it says nothing. */
  const note =
    <T>(revokedAt: (object: T) => number | undefined) =>
    (change: CacheChange<T>): void => {
      if (change.type === 'delete' || change.old === undefined || revokedAt(change.old)) return;
      const since = revokedAt(change.object);
      if (!since) return;
      metrics.revocationSeen(Math.max(0, clock.now() / 1000 - since));
      if (isLeading()) metrics.tokenBlacklisted();
    };
  const stops = [
    tokens.onChange(note(blacklistedAtOf)),
    issued.onChange(note(({ blacklistedAt }: IssuedRecord) => blacklistedAt)),
  ];
  return () => {
    for (const stop of stops) stop();
  };
};
