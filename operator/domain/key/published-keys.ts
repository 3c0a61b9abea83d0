import type { KeyEntry } from '../../api/signing-key.ts';
import { byPublication, isUserProvided, retire, usableActiveOf } from './key-phases.ts';
import { type PublicKey, rebuildEntry } from './key-secrets.ts';
import type { RotationContext } from './signing-key-observation.ts';

const newEntry = (key: PublicKey, secretRef: KeyEntry['secretRef'], context: RotationContext): KeyEntry => ({
  ...key,
  publicJWK: { ...key.publicJWK },
  phase: 'Published',
  publishedAt: context.time,
  secretRef,
});

/** Published keys whose private key is available, oldest first. */
export const usablePublished = (entries: readonly KeyEntry[], context: RotationContext): KeyEntry[] =>
  entries.filter((entry) => entry.phase === 'Published' && context.isUsable(entry)).sort(byPublication);

/**
 * The key that may sign next (spec §2.5): the oldest one that the stored status lists as Published, so that no key signs
 * before the JWKS has had it.
 */
export const nextToSign = (entries: readonly KeyEntry[], context: RotationContext): KeyEntry | undefined => {
  const listed = (context.signingKey.status?.keys ?? []).filter(({ phase }) => phase === 'Published');
  return usablePublished(entries, context).find(({ kid }) => listed.some((entry) => entry.kid === kid));
};

/** The provided key as an entry, or why it can't sign: it is unreadable, compromised, retired, or in use with another algorithm. */
export const findProvidedKey = (
  entries: readonly KeyEntry[],
  context: RotationContext,
): { readonly entry: KeyEntry } | { readonly problem: string } | undefined => {
  const { provided } = context;
  if (provided === undefined || 'problem' in provided) return provided;
  const { key, secretRef } = provided;
  if (context.compromised.has(key.kid)) return { problem: `key ${key.kid} is compromised: provide another` };
  const known = entries.find(({ kid }) => kid === key.kid);
  if (known === undefined && context.hasForgotten) {
    const problem = `key ${key.kid} may be one of the compromised keys that were too many to be remembered: let the operator generate keys`;
    return { problem };
  }
  if (known?.phase === 'Retired') return { problem: `key ${key.kid} has retired: provide another` };
  if (known && known.algorithm !== key.algorithm) {
    return {
      problem: `key ${key.kid} is in use for ${known.algorithm}: provide another for ${key.algorithm}`,
    };
  }
  return { entry: { ...(known ?? newEntry(key, undefined, context)), secretRef: { ...secretRef } } };
};

/** Retires Published keys that will never sign: of another algorithm or source than the spec asks for, or without private key. */
export const retireUnfitPublished = (entries: readonly KeyEntry[], context: RotationContext): KeyEntry[] => {
  const { provided, signingKey } = context;
  const fits = (entry: KeyEntry): boolean => {
    if (provided === undefined) {
      return (
        !isUserProvided(entry) && entry.algorithm === signingKey.spec.algorithm && context.isUsable(entry)
      );
    }
    // A provided key waits while its Secret is unreadable: it may be about to be replaced.
    return 'problem' in provided ? isUserProvided(entry) : entry.kid === provided.key.kid;
  };
  return entries.map((entry) =>
    entry.phase === 'Published' && !fits(entry) ? retire(entry, context) : entry,
  );
};

/** Keeps the oldest Published key, and a second one while no usable key is Active: a rebuild may have found more. */
export const retireSurplusPublished = (
  entries: readonly KeyEntry[],
  context: RotationContext,
): KeyEntry[] => {
  const kept = usablePublished(entries, context).slice(0, usableActiveOf(entries, context) ? 1 : 2);
  return entries.map((entry) =>
    kept.length > 0 && entry.phase === 'Published' && !kept.includes(entry) ? retire(entry, context) : entry,
  );
};

/** Generated keys that were never published, by name of their Secrets; a key that was published has an entry. */
const unpublishedKeys = (entries: readonly KeyEntry[], context: RotationContext): readonly KeyEntry[] => {
  const isUnpublished = (key: PublicKey): boolean =>
    key.algorithm === context.signingKey.spec.algorithm &&
    !context.compromised.has(key.kid) &&
    !entries.some(({ kid }) => kid === key.kid);
  return [...context.ownSecrets.values()]
    .filter((secret) => !context.hasForgotten || rebuildEntry(secret) === undefined)
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap(({ key, name }) => (key && isUnpublished(key) ? [newEntry(key, { name }, context)] : []));
};

/** Entries after publication, and how many more keys have to be generated first. */
interface Publication {
  readonly entries: readonly KeyEntry[];
  readonly missing: number;
}

const publishGenerated = (
  entries: readonly KeyEntry[],
  context: RotationContext,
  wanted: number,
): Publication => {
  const lacking = Math.max(0, wanted - entries.filter(({ phase }) => phase === 'Published').length);
  const added = unpublishedKeys(entries, context).slice(0, lacking);
  return { entries: [...entries, ...added], missing: lacking - added.length };
};

const publishProvided = (entries: readonly KeyEntry[], context: RotationContext): Publication => {
  const found = findProvidedKey(entries, context);
  if (found === undefined || 'problem' in found) return { entries, missing: 0 };
  return { entries: [...entries.filter(({ kid }) => kid !== found.entry.kid), found.entry], missing: 0 };
};

/** Publishes the provided key, or generated keys until `wanted` are Published. */
export const publish = (
  entries: readonly KeyEntry[],
  context: RotationContext,
  wanted: number,
): Publication =>
  context.provided ? publishProvided(entries, context) : publishGenerated(entries, context, wanted);
