import { durationMs } from '../../api/duration.ts';
import type { KeyEntry } from '../../api/signing-key.ts';
import { floorSeconds, formatTime, secondsOf } from '../timestamps.ts';
import { isKeySecretOf, type KeySecret, keySecretName, rebuildEntry } from './key-secrets.ts';
import type { SigningKeyObservation } from './rotation-observation.ts';

/** A retired key stays at least this long: what it signed last may not be in the cache yet. */
export const RETIRED_FOR_AT_LEAST_SECONDS = 600;
/** No duration stands in the spec: spec §2.5. */
const INTERVAL = '2160h';
const PUBLISH_BEFORE = '24h';
/** Max-age of the JWKS that is served: a key that verifiers may not know yet never signs by schedule. */
const MIN_PUBLISH_SECONDS = 300;
/** What the schema lets `status.keys` hold. */
export const MAX_KEYS = 256;

/** An observation, and what every step of a plan asks of it. Times are in seconds since the Unix epoch. */
export interface RotationContext extends SigningKeyObservation {
  readonly seconds: number;
  readonly time: string;
  readonly interval: number;
  readonly publishBefore: number;
  /** By a spec, or remembered. */
  readonly compromised: ReadonlySet<string>;
  /** Compromised kids that no spec names any more, only our Secrets do: the key set does not leave them out. */
  readonly remembered: ReadonlySet<string>;
  /** Our Secrets for keys of this SigningKey, by name. */
  readonly ownSecrets: ReadonlyMap<string, KeySecret>;
  /** The private half of an entry's key is at hand. */
  isUsable(entry: Pick<KeyEntry, 'kid' | 'secretRef'>): boolean;
}

/** Reads an observation once for all steps. */
export const buildRotationContext = (observation: SigningKeyObservation): RotationContext => {
  const { signingKey, compromised: named, secrets, provided, readableKids, now } = observation;
  const { name } = signingKey.metadata;
  const { interval = INTERVAL, publishBefore = PUBLISH_BEFORE } = signingKey.spec.rotation ?? {};
  const ownSecrets = new Map(
    secrets.filter((secret) => isKeySecretOf(name, secret)).map((secret) => [secret.name, secret]),
  );
  const seconds = floorSeconds(now);
  const stored = [...ownSecrets.values()].flatMap(({ compromised }) => compromised);
  const broughtKid = provided && 'key' in provided ? provided.key.kid : undefined;
  return {
    ...observation,
    seconds,
    time: formatTime(seconds),
    interval: durationMs(interval) / 1000,
    publishBefore: Math.max(MIN_PUBLISH_SECONDS, durationMs(publishBefore) / 1000),
    compromised: new Set([...named, ...stored]),
    remembered: new Set(stored.filter((kid) => !named.has(kid))),
    ownSecrets,
    isUsable: ({ kid }) =>
      readableKids.has(kid) ||
      broughtKid === kid ||
      ownSecrets.get(keySecretName(name, kid))?.key?.kid === kid,
  };
};

/** Whether the private half was brought by a user, and so is not ours to delete. */
export const isUserProvided = (entry: KeyEntry): boolean => entry.secretRef?.key !== undefined;

/** Signs no more. The Secret of a brought key is forgotten; ours is, once it is gone. */
export const retire = (entry: KeyEntry, context: RotationContext): KeyEntry => {
  const { secretRef, ...rest } = entry;
  const kept = secretRef && !isUserProvided(entry) ? { secretRef } : {};
  return { ...rest, ...kept, phase: 'Retired', retiredAt: context.time };
};

/** Signs from now on. */
export const activate = (entry: KeyEntry, context: RotationContext): KeyEntry => ({
  ...entry,
  phase: 'Active',
  activatedAt: context.time,
});

/** Oldest first; the kid decides between equals, so that two passes agree. */
export const byPublication = (a: KeyEntry, b: KeyEntry): number =>
  secondsOf(a.publishedAt) - secondsOf(b.publishedAt) || (a.kid < b.kid ? -1 : 1);

/** What the status says, and what it lost and the Secrets still tell. A compromised key is not brought back. */
export const knownEntries = (context: RotationContext): KeyEntry[] => {
  const entries = new Map<string, KeyEntry>();
  const secrets = [...context.ownSecrets.values()];
  const rebuilt = secrets.flatMap((secret) => rebuildEntry(secret) ?? []);
  const kept = secrets.flatMap(({ retired }) => retired).filter(({ phase }) => phase === 'Retired');
  for (const entry of [...kept, ...rebuilt])
    if (!context.compromised.has(entry.kid)) entries.set(entry.kid, entry);
  for (const entry of context.signingKey.status?.keys ?? [])
    if (!context.remembered.has(entry.kid)) entries.set(entry.kid, entry);
  return [...entries.values()];
};

/** A compromised key is through at once. */
export const retireCompromised = (entries: readonly KeyEntry[], context: RotationContext): KeyEntry[] =>
  entries.map((entry) =>
    entry.phase !== 'Retired' && context.compromised.has(entry.kid) ? retire(entry, context) : entry,
  );

/** Of several Active ones (a restored backup, say) the one that was activated last stays. */
export const retireDoubles = (entries: readonly KeyEntry[], context: RotationContext): KeyEntry[] => {
  const activatedAt = (entry: KeyEntry): number => secondsOf(entry.activatedAt ?? entry.publishedAt);
  const [newest] = entries
    .filter(({ phase }) => phase === 'Active')
    .sort((a, b) => activatedAt(b) - activatedAt(a) || (a.kid < b.kid ? -1 : 1));
  return entries.map((entry) =>
    entry.phase === 'Active' && entry.kid !== newest?.kid ? retire(entry, context) : entry,
  );
};

/** When a retired key may leave: its grace is over, and no good token names it; undefined where time alone does not tell. */
export const removableAt = (entry: KeyEntry, context: RotationContext): number | undefined => {
  const graceEnds = secondsOf(entry.retiredAt ?? context.time) + RETIRED_FOR_AT_LEAST_SECONDS;
  const last = context.lastExpirationOf(entry.kid);
  return last === 'never' ? undefined : Math.max(graceEnds, last ?? 0);
};

const withLastExpiration = (entry: KeyEntry, context: RotationContext): KeyEntry => {
  const last = context.lastExpirationOf(entry.kid);
  if (typeof last !== 'number') return entry;
  const known = entry.lastExpiration === undefined ? 0 : secondsOf(entry.lastExpiration);
  return last > known ? { ...entry, lastExpiration: formatTime(last) } : entry;
};

/** Retired keys as they are to stand: without those that nothing needs, without Secrets that are gone. */
export const settleRetired = (entries: readonly KeyEntry[], context: RotationContext): KeyEntry[] =>
  entries.flatMap((entry) => {
    if (entry.phase !== 'Retired') return [entry];
    const hasSecret = context.ownSecrets.has(keySecretName(context.signingKey.metadata.name, entry.kid));
    const removable = removableAt(entry, context);
    if (!hasSecret && removable !== undefined && removable <= context.seconds) return [];
    const { secretRef, ...rest } = withLastExpiration(entry, context);
    return [hasSecret && secretRef ? { ...rest, secretRef } : rest];
  });

/** Where there are more keys than a status may hold, those go first that were retired first: an emergency alone gets there. */
export const dropBeyondLimit = (entries: readonly KeyEntry[]): KeyEntry[] => {
  const dropped = new Set(
    entries
      .filter(({ phase }) => phase === 'Retired')
      .sort((a, b) => secondsOf(a.retiredAt ?? a.publishedAt) - secondsOf(b.retiredAt ?? b.publishedAt))
      .slice(0, Math.max(0, entries.length - MAX_KEYS))
      .map(({ kid }) => kid),
  );
  return entries.filter(({ kid }) => !dropped.has(kid));
};
