import { MAX_CLOCK_SKEW_SECONDS } from '../domain/jwt/claims.ts';
import type { Check } from '../ops/health.ts';
import type { Clock } from '../ports/clock.ts';
import type { InformerHealth } from '../runtime/informer.ts';
import type { Informers } from './informers.ts';

/** A watched type, as probes see it. */
export interface WatchedType {
  readonly name: string;
  readonly health: InformerHealth;
}

/** Every type that is watched. */
export const watchedTypes = (informers: Informers): readonly WatchedType[] => Object.values(informers);

/** A watch without an event or bookmark for so long, though the API server answers, has died unnoticed. */
const DEAD_AFTER_MS = 5 * 60_000;
/** An answer on the watches' connections is this fresh where the API server can be reached. */
const CONTACT_FRESH_MS = 10_000;
/** A bookmark comes about every minute. */
const PROGRESS_FRESH_MS = 90_000;
/** Whether the clock of this replica is close enough to the API server's to issue and validate by it. */
export const isSkewAcceptable = (skewSeconds: number): boolean =>
  Math.abs(Math.round(skewSeconds)) <= MAX_CLOCK_SKEW_SECONDS;

/**
 * Liveness: every informer runs, and none is silent while its connection is not. An API server that is away is no reason to restart,
 * nor one that answers with errors: a restart gets the same.
 */
export const informersAlive = (informers: readonly WatchedType[], clock: Clock): Check => ({
  name: 'informers',
  problem: () => {
    const now = clock.now();
    const stopped = informers.find(({ health }) => {
      const reachable = now - health.lastContact < CONTACT_FRESH_MS;
      return !health.alive || (health.synced && reachable && now - health.lastAnswered > DEAD_AFTER_MS);
    });
    return stopped && `${stopped.name}: the watch gave up`;
  },
});

/**
 * Readiness: the first whole list of every type is in, and every watch is fresh (spec §3): an event or bookmark
 * 90 s ago at most, and, where connections are pinged (HTTP/2), a sign of life 10 s ago at most. Nothing is remembered between two
 * probes: what a replica can validate does not depend on when it was asked.
 */
export const informersSynced = (informers: readonly WatchedType[], clock: Clock): Check => ({
  name: 'caches',
  problem: () => {
    const missing = [...new Set(informers.filter(({ health }) => !health.synced).map(({ name }) => name))];
    if (missing.length > 0) return `not listed yet: ${missing.join(', ')}`;
    const now = clock.now();
    const behind = informers.find(
      ({ health }) =>
        now - health.lastProgress > PROGRESS_FRESH_MS ||
        (health.isPinged && now - health.lastContact > CONTACT_FRESH_MS),
    );
    return behind && `${behind.name}: the API server has not been heard of for too long`;
  },
});

/** Whether a yes may come from this type's cache (spec §3). Stricter than readiness where a connection is not pinged (HTTP/1.1): its last sign of life counts all the same. */
export const isSynced = ({ synced, lastContact, lastProgress }: InformerHealth, clock: Clock): boolean => {
  const now = clock.now();
  return synced && now - lastContact <= CONTACT_FRESH_MS && now - lastProgress <= PROGRESS_FRESH_MS;
};

/** Readiness: this clock and the API server's agree well enough to decide on expiry. */
export const clockAgrees = (skewSeconds: () => number): Check => ({
  name: 'clock',
  problem: () => {
    const seconds = Math.round(skewSeconds());
    return isSkewAcceptable(seconds)
      ? undefined
      : `this clock is ${Math.abs(seconds)} s ${seconds > 0 ? 'ahead of' : 'behind'} the API server's`;
  },
});
