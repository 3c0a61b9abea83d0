import type { KeyEntry } from '../../api/signing-key.ts';
import { isUserProvided, type RotationContext, retire } from './key-phases.ts';
import { type KeySecret, keySecretName } from './key-secrets.ts';

/** The brought key that may be published: readable, not compromised, not known under another algorithm, not retired already. */
export const findUsableProvidedKey = (
  entries: readonly KeyEntry[],
  context: RotationContext,
): { readonly entry: KeyEntry } | { readonly problem: string } | undefined => {
  const { provided } = context;
  if (provided === undefined || 'problem' in provided) return provided;
  const { key, secretRef } = provided;
  if (context.compromised.has(key.kid)) return { problem: `key ${key.kid} is compromised: bring another` };
  const known = entries.find(({ kid }) => kid === key.kid);
  if (known?.phase === 'Retired') return { problem: `key ${key.kid} is retired already: bring another` };
  if (known && known.algorithm !== key.algorithm) {
    return { problem: `key ${key.kid} is in use for ${known.algorithm}: bring another for ${key.algorithm}` };
  }
  const fresh: KeyEntry = {
    ...key,
    publicJWK: { ...key.publicJWK },
    phase: 'Published',
    publishedAt: context.time,
  };
  return { entry: { ...(known ?? fresh), secretRef: { ...secretRef } } };
};

/** Published keys that will never sign: of another algorithm, of another source, or without their private half. */
export const retireUnfitStandbys = (entries: readonly KeyEntry[], context: RotationContext): KeyEntry[] => {
  const { provided, signingKey } = context;
  const fits = (entry: KeyEntry): boolean => {
    if (provided === undefined) {
      return (
        !isUserProvided(entry) && entry.algorithm === signingKey.spec.algorithm && context.isUsable(entry)
      );
    }
    // While its Secret is unreadable a brought key waits: it may be in the middle of being replaced.
    return 'problem' in provided ? isUserProvided(entry) : entry.kid === provided.key.kid;
  };
  return entries.map((entry) =>
    entry.phase === 'Published' && !fits(entry) ? retire(entry, context) : entry,
  );
};

/** Keys that were generated and never published, in the order of their names: what was published is an entry already. */
const freshSecrets = (
  entries: readonly KeyEntry[],
  context: RotationContext,
): (KeySecret & { key: object })[] =>
  [...context.ownSecrets.values()]
    .filter((secret): secret is KeySecret & { key: NonNullable<KeySecret['key']> } => {
      const { key } = secret;
      return (
        key !== undefined &&
        key.algorithm === context.signingKey.spec.algorithm &&
        !context.compromised.has(key.kid) &&
        !entries.some(({ kid }) => kid === key.kid)
      );
    })
    .sort((a, b) => (a.name < b.name ? -1 : 1));

/** Publishes generated keys until `wanted` stand by; `missing` is how many have to be generated for that. */
export const publishGenerated = (
  entries: readonly KeyEntry[],
  context: RotationContext,
  wanted: number,
): { readonly entries: KeyEntry[]; readonly missing: number } => {
  const present = entries.filter(({ phase }) => phase === 'Published').length;
  const admitted = freshSecrets(entries, context)
    .slice(0, Math.max(0, wanted - present))
    .flatMap(({ key, name }): KeyEntry[] =>
      key === undefined
        ? []
        : [
            {
              ...key,
              publicJWK: { ...key.publicJWK },
              phase: 'Published',
              publishedAt: context.time,
              secretRef: { name },
            },
          ],
    );
  return {
    entries: [...entries, ...admitted],
    missing: Math.max(0, wanted - present - admitted.length),
  };
};

/** Publishes the brought key. */
export const publishProvidedKey = (entries: readonly KeyEntry[], context: RotationContext): KeyEntry[] => {
  const found = findUsableProvidedKey(entries, context);
  if (found === undefined || 'problem' in found) return [...entries];
  return [...entries.filter(({ kid }) => kid !== found.entry.kid), found.entry];
};

/** Secrets of keys that are no longer to sign, or never will be. */
export const findSpentSecrets = (entries: readonly KeyEntry[], context: RotationContext): KeySecret[] => {
  const { name } = context.signingKey.metadata;
  const kept = new Set(
    entries.filter(({ phase }) => phase !== 'Retired').map(({ kid }) => keySecretName(name, kid)),
  );
  return [...context.ownSecrets.values()].filter((secret) => !kept.has(secret.name));
};
