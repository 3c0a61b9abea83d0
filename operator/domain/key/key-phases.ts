import type { KeyEntry } from '../../api/signing-key.ts';
import { formatTime, secondsOf } from '../../api/time.ts';
import { keySecretName, rebuildEntry } from './key-secrets.ts';
import type { RotationContext } from './signing-key-observation.ts';

/** A retired key stays at least this long: the cache may not have the last token that it signed yet. */
export const RETIRED_FOR_AT_LEAST_SECONDS = 600;
/** The most entries of `status.keys` by its schema. */
export const MAX_KEYS = 256;

/** Whether a user provided the private key, so that the operator must not delete it. */
export const isUserProvided = (entry: KeyEntry): boolean => entry.secretRef?.key !== undefined;

/** The entry as Retired. The reference to the Secret of a provided key is dropped; that of a generated one stays until the Secret is deleted. */
export const retire = (entry: KeyEntry, context: RotationContext): KeyEntry => {
  const { secretRef, ...rest } = entry;
  const kept = secretRef && !isUserProvided(entry) ? { secretRef } : {};
  return { ...rest, ...kept, phase: 'Retired', retiredAt: context.time };
};

/** The entry as Active. */
export const activate = (entry: KeyEntry, context: RotationContext): KeyEntry => ({
  ...entry,
  phase: 'Active',
  activatedAt: context.time,
});

/** The entry in phase Active, whether its private key is available or not. */
export const activeOf = (entries: readonly KeyEntry[]): KeyEntry | undefined =>
  entries.find(({ phase }) => phase === 'Active');

/** The Active entry if its private key is available. */
export const usableActiveOf = (
  entries: readonly KeyEntry[],
  context: RotationContext,
): KeyEntry | undefined => {
  const active = activeOf(entries);
  return active && context.isUsable(active) ? active : undefined;
};

/** Oldest publication first, then by kid, so that every reconcile has the same order. */
export const byPublication = (a: KeyEntry, b: KeyEntry): number =>
  secondsOf(a.publishedAt) - secondsOf(b.publishedAt) || (a.kid < b.kid ? -1 : 1);

/**
 * The entries of the status, and those that it lost and the Secrets still describe (spec §2.5). Compromised keys are not
 * rebuilt, nor any that could be one that is not remembered, and those that are only remembered as compromised are left out.
 */
export const knownEntries = (context: RotationContext): KeyEntry[] => {
  const entries = new Map<string, KeyEntry>();
  const secrets = [...context.ownSecrets.values()];
  const rebuilt = context.hasForgotten ? [] : secrets.flatMap((secret) => rebuildEntry(secret) ?? []);
  const kept = secrets.flatMap(({ retired }) => retired).filter(({ phase }) => phase === 'Retired');
  for (const entry of [...kept, ...rebuilt])
    if (!context.compromised.has(entry.kid)) entries.set(entry.kid, entry);
  for (const entry of context.signingKey.status?.keys ?? [])
    if (!context.remembered.has(entry.kid)) entries.set(entry.kid, entry);
  return [...entries.values()];
};

/** Retires every compromised key. */
export const retireCompromised = (entries: readonly KeyEntry[], context: RotationContext): KeyEntry[] =>
  entries.map((entry) =>
    entry.phase !== 'Retired' && context.compromised.has(entry.kid) ? retire(entry, context) : entry,
  );

/** Of several Active keys, as after a restored backup, keeps the one that was activated last. */
export const retireDuplicateActive = (entries: readonly KeyEntry[], context: RotationContext): KeyEntry[] => {
  const activatedAt = (entry: KeyEntry): number => secondsOf(entry.activatedAt ?? entry.publishedAt);
  const [newest] = entries
    .filter(({ phase }) => phase === 'Active')
    .sort((a, b) => activatedAt(b) - activatedAt(a) || (a.kid < b.kid ? -1 : 1));
  return entries.map((entry) =>
    entry.phase === 'Active' && entry.kid !== newest?.kid ? retire(entry, context) : entry,
  );
};

/**
 * When a retired key may be removed, in seconds since the Unix epoch: at least 10 min after it retired, and when no valid
 * token names it. Undefined while a token without expiration does.
 */
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

/** Removes retired keys that are no longer needed and whose Secret is deleted; drops the references of the others to deleted Secrets. */
export const pruneRetired = (entries: readonly KeyEntry[], context: RotationContext): KeyEntry[] =>
  entries.flatMap((entry) => {
    if (entry.phase !== 'Retired') return [entry];
    const hasSecret = context.ownSecrets.has(keySecretName(context.signingKey.metadata.name, entry.kid));
    const removable = removableAt(entry, context);
    if (!hasSecret && removable !== undefined && removable <= context.seconds) return [];
    const { secretRef, ...rest } = withLastExpiration(entry, context);
    return [hasSecret && secretRef ? { ...rest, secretRef } : rest];
  });

/** Drops the keys that retired first if there are more than {@link MAX_KEYS}, which only emergencies lead to. */
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
