import type { Token } from '../../api/token.ts';
import type { IssuedRecord } from '../../domain/issued-record.ts';
import { secondsOf } from '../../domain/timestamps.ts';
import type { Cache, CacheChange } from '../../ports/cache.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Metrics } from '../../ports/metrics.ts';

export interface RevocationDelayOptions {
  readonly tokens: Pick<Cache<Token>, 'onChange'>;
  readonly issued: Pick<Cache<IssuedRecord>, 'onChange'>;
  readonly clock: Clock;
  readonly metrics: Pick<Metrics, 'revocationSeen'>;
}

/** When a Token's status says that it was blacklisted, in seconds since the Unix epoch; 0 where it does not. */
const tokenRevokedAt = ({ status }: Token): number => {
  const { flag, timestamp } = status?.blacklisted ?? {};
  return flag === true && timestamp !== undefined ? secondsOf(timestamp) : 0;
};

/**
 * Measures how long a revocation took to be known here (contract §3): what a first list brings is old, and left out. To be called
 * before the caches start; returns the function that ends it.
 */
export const measureRevocations = ({
  tokens,
  issued,
  clock,
  metrics,
}: RevocationDelayOptions): (() => void) => {
  const note =
    <T>(revokedAt: (object: T) => number) =>
    (change: CacheChange<T>): void => {
      if (change.type === 'delete' || change.old === undefined || revokedAt(change.old) > 0) return;
      const since = revokedAt(change.object);
      if (since > 0) metrics.revocationSeen(Math.max(0, clock.now() / 1000 - since));
    };
  const stops = [
    tokens.onChange(note(tokenRevokedAt)),
    issued.onChange(note(({ blacklistedAt = 0 }) => blacklistedAt)),
  ];
  return () => {
    for (const stop of stops) stop();
  };
};
