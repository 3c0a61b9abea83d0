import type { Check } from '../ops/health.ts';
import type { Clock } from '../ports/clock.ts';
import type { InformerHealth } from '../runtime/informer.ts';

/** A watched type, as probes see it. */
export interface WatchedType {
  readonly name: string;
  readonly health: InformerHealth;
}

/** A watch without an event or bookmark for so long, though the API server answers, has died unnoticed. */
const DEAD_AFTER_MS = 5 * 60_000;
/** An answer on the watches' connections is this fresh where the API server can be reached. */
const CONTACT_FRESH_MS = 10_000;
/** Contract §3: a replica whose clock is further off is not ready. */
const MAX_SKEW_SECONDS = 120;

/** Liveness: every informer runs, and none is silent while its connection is not. An API server that is away is no reason to restart. */
export const informersAlive = (informers: readonly WatchedType[], clock: Clock): Check => ({
  name: 'informers',
  problem: () => {
    const now = clock.now();
    const dead = informers.find(({ health }) => {
      const reachable = now - health.lastContact < CONTACT_FRESH_MS;
      return !health.alive || (health.synced && reachable && now - health.lastProgress > DEAD_AFTER_MS);
    });
    return dead && `${dead.name}: the watch gave up`;
  },
});

/** Readiness: the first whole list of every type is in. */
export const informersSynced = (informers: readonly WatchedType[]): Check => ({
  name: 'caches',
  problem: () => {
    const missing = informers.filter(({ health }) => !health.synced).map(({ name }) => name);
    return missing.length === 0 ? undefined : `not listed yet: ${missing.join(', ')}`;
  },
});

/** Readiness: this clock and the API server's agree well enough to judge expiry. */
export const clockAgrees = (skewSeconds: () => number): Check => ({
  name: 'clock',
  problem: () => {
    const seconds = Math.round(skewSeconds());
    return Math.abs(seconds) <= MAX_SKEW_SECONDS
      ? undefined
      : `this clock is ${Math.abs(seconds)} s ${seconds > 0 ? 'ahead of' : 'behind'} the API server's`;
  },
});
