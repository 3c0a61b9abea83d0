import type { KeyEntry } from '../../api/signing-key.ts';
import { canonicalJson } from '../canonical-json.ts';
import { watchedBy } from '../own-mark.ts';
import {
  type KeySecret,
  keySecretAnnotations,
  keySecretMarks,
  keySecretName,
  MAX_COMPROMISED,
  SIGNING_KEY_LABEL,
} from './key-secrets.ts';
import type { RotationContext } from './signing-key-observation.ts';

/** The metadata that a key Secret is to have, and what it is to remember of other keys; the rest of it stays. */
export interface KeySecretChange {
  readonly secret: KeySecret;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly retired: readonly KeyEntry[];
  readonly compromised: readonly string[];
}

/** Other labels, and marks that a Secret of an earlier version lacks, come with the next write: none is made for them alone. */
const isAsWanted = (
  secret: KeySecret,
  signingKey: string,
  { annotations, retired, compromised }: Omit<KeySecretChange, 'secret' | 'labels'>,
): boolean =>
  secret.labels[SIGNING_KEY_LABEL] === signingKey &&
  watchedBy(secret) !== undefined &&
  Object.entries(annotations).every(([name, value]) => secret.annotations[name] === value) &&
  canonicalJson([retired, compromised]) === canonicalJson([secret.retired, secret.compromised]);

/** The Secrets of keys that sign or will sign, as far as they differ from what `entries` says; the Active key's remembers the retired entries. */
export const planSecretChanges = (
  entries: readonly KeyEntry[],
  context: RotationContext,
): KeySecretChange[] => {
  const { name } = context.signingKey.metadata;
  const retiredEntries = entries
    .filter(({ phase, kid }) => phase === 'Retired' && !context.compromised.has(kid))
    .map(({ secretRef: _, ...rest }) => rest);
  // Kids that specs name precede the remembered ones, so that the limit drops remembered ones.
  const compromised = [...context.noted].slice(0, MAX_COMPROMISED).sort();
  return entries.flatMap((entry) => {
    const secret = context.ownSecrets.get(keySecretName(name, entry.kid));
    if (entry.phase === 'Retired' || secret?.key === undefined) return [];
    const annotations = keySecretAnnotations(entry);
    const retired = entry.phase === 'Active' ? retiredEntries : [];
    if (isAsWanted(secret, name, { annotations, retired, compromised })) return [];
    const marks = keySecretMarks(name, entry.kid);
    const change = {
      labels: { ...secret.labels, ...marks.labels },
      annotations: { ...secret.annotations, ...marks.annotations, ...annotations },
    };
    return [{ secret, ...change, retired, compromised }];
  });
};

/** The Secrets of keys that no longer sign or never will. */
export const findUnneededSecrets = (entries: readonly KeyEntry[], context: RotationContext): KeySecret[] => {
  const { name } = context.signingKey.metadata;
  const kept = new Set(
    entries.filter(({ phase }) => phase !== 'Retired').map(({ kid }) => keySecretName(name, kid)),
  );
  return [...context.ownSecrets.values()].filter((secret) => !kept.has(secret.name));
};
