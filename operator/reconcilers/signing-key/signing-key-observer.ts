import type { Algorithm, KeyEntry, SigningKey } from '../../api/signing-key.ts';
import {
  algorithmOf,
  COMPROMISED_KIDS,
  type KeySecret,
  keySecretName,
  PRIVATE_PEM,
  type PublicKey,
  RETIRED_KEYS,
  readCompromisedKids,
  readRetiredKeys,
  SIGNING_KEY_LABEL,
} from '../../domain/key/key-secrets.ts';
import type { ProvidedKey, SigningKeyObservation } from '../../domain/key/signing-key-observation.ts';
import type { KeyPairs } from '../../ports/keys.ts';
import { getIfThere, type ResourceClient } from '../../ports/kube.ts';
import type { Secret } from '../../ports/secrets.ts';
import { type ListWatch, listPages } from '../../ports/watch.ts';

/** Where a SigningKey's observation comes from. */
export interface SigningKeySources {
  /** Secrets with the label {@link SIGNING_KEY_LABEL} in the operator's namespace, as they are now: a key must never be taken for lost because a cache lags. */
  readonly keySecrets: Pick<ListWatch<Secret>, 'list'>;
  readonly secretClient: Pick<ResourceClient<Secret>, 'get'>;
  readonly keyPairs: Pick<KeyPairs, 'read'>;
  /** Whether this process has the private key of a kid in memory, also after its Secret was changed. Absent: it has none. */
  readonly holdsKey?: ((kid: string) => boolean) | undefined;
}

/** An observation, and the Secrets behind it, private halves and all, by name. */
export interface ObservedSigningKey {
  readonly observation: Omit<SigningKeyObservation, 'compromised' | 'lastExpirationOf' | 'now'>;
  readonly secrets: ReadonlyMap<string, Secret>;
}

const PAGE = 100;

const decode = (secret: Secret | undefined, key: string): string | undefined => {
  const data = secret?.data?.[key];
  return data === undefined ? undefined : Buffer.from(data, 'base64').toString('utf8');
};

/** The Secrets with keys of the SigningKey of that name, by their names, as they are now. @throws ApiError */
export const listKeySecrets = async (
  { keySecrets }: SigningKeySources,
  signingKey: string,
  signal: AbortSignal,
): Promise<Map<string, Secret>> => {
  const found = new Map<string, Secret>();
  for await (const secrets of listPages(keySecrets, { limit: PAGE, signal })) {
    for (const secret of secrets) {
      if (secret.metadata.labels?.[SIGNING_KEY_LABEL] === signingKey) found.set(secret.metadata.name, secret);
    }
  }
  return found;
};

const publicOf = async (
  { keyPairs }: SigningKeySources,
  pem: string | undefined,
  algorithm: Algorithm | undefined,
): Promise<PublicKey | { readonly problem: string }> => {
  if (pem === undefined || algorithm === undefined) return { problem: 'it is missing' };
  const reading = await keyPairs.read(pem, algorithm);
  if ('problem' in reading) return reading;
  const { kid, publicJWK } = reading.key;
  return { kid, algorithm, publicJWK };
};

/** What a plan may know of a key Secret: everything but its private half. */
export const describeKeySecret = async (
  sources: SigningKeySources,
  secret: Secret,
  signingKey: SigningKey,
): Promise<KeySecret> => {
  const { name, uid, resourceVersion, labels = {}, annotations = {} } = secret.metadata;
  const entry = signingKey.status?.keys?.find(
    ({ kid }) => keySecretName(signingKey.metadata.name, kid) === name,
  );
  const found = await publicOf(
    sources,
    decode(secret, PRIVATE_PEM),
    entry?.algorithm ?? algorithmOf(annotations),
  );
  const isItsOwn = 'kid' in found && keySecretName(signingKey.metadata.name, found.kid) === name;
  const retired = readRetiredKeys(decode(secret, RETIRED_KEYS));
  const compromised = readCompromisedKids(decode(secret, COMPROMISED_KIDS));
  const key = isItsOwn ? found : undefined;
  return { name, uid, resourceVersion, labels, annotations, key, retired, compromised };
};

type ReadByName = (name: string) => Promise<Secret | undefined>;

const readerOf = (sources: SigningKeySources, namespace: string, signal: AbortSignal): ReadByName => {
  const known = new Map<string, Promise<Secret | undefined>>();
  return (name) => {
    const reading = known.get(name) ?? getIfThere(sources.secretClient, { namespace, name }, signal);
    known.set(name, reading);
    return reading;
  };
};

const observeProvided = async (
  sources: SigningKeySources,
  { spec }: SigningKey,
  read: ReadByName,
): Promise<ProvidedKey | undefined> => {
  if (!spec.privateKeyRef) return undefined;
  const { name, key } = spec.privateKeyRef;
  const secret = await read(name);
  const pem = decode(secret, key);
  if (!secret) return { problem: `Secret "${name}" is missing` };
  if (pem === undefined) return { problem: `key "${key}" of Secret "${name}" is missing` };
  const found = await publicOf(sources, pem, spec.algorithm);
  if ('problem' in found) return { problem: `key "${key}" of Secret "${name}": ${found.problem}` };
  return { key: found, secretRef: { name, key } };
};

/** Provided keys in the status whose private key is where the status says. */
const observeReadable = async (
  sources: SigningKeySources,
  entries: readonly KeyEntry[],
  read: ReadByName,
): Promise<Set<string>> => {
  const kids = new Set<string>();
  for (const { kid, phase, algorithm, secretRef } of entries) {
    if (phase === 'Retired' || secretRef?.key === undefined) continue;
    const found = await publicOf(sources, decode(await read(secretRef.name), secretRef.key), algorithm);
    if ('kid' in found && found.kid === kid) kids.add(kid);
  }
  return kids;
};

/** Reads everything that a plan for the SigningKey is made from, from the API server itself. @throws ApiError */
export const observeSigningKey = async (
  sources: SigningKeySources,
  signingKey: SigningKey,
  signal: AbortSignal,
): Promise<ObservedSigningKey> => {
  const { metadata, status } = signingKey;
  const entries = status?.keys ?? [];
  const secrets = await listKeySecrets(sources, metadata.name, signal);
  const read = readerOf(sources, metadata.namespace, signal);
  for (const { secretRef } of entries) {
    // One that lost its label is still the key's.
    if (!secretRef || secretRef.key !== undefined || secrets.has(secretRef.name)) continue;
    const secret = await read(secretRef.name);
    if (secret) secrets.set(secretRef.name, secret);
  }
  const described = await Promise.all(
    [...secrets.values()].map((secret) => describeKeySecret(sources, secret, signingKey)),
  );
  const provided = await observeProvided(sources, signingKey, read);
  const readableKids = await observeReadable(sources, entries, read);
  const held = entries.filter(({ kid, phase }) => phase !== 'Retired' && sources.holdsKey?.(kid) === true);
  const heldKids = new Set(
    held.filter(({ secretRef }) => secretRef?.key !== undefined).map(({ kid }) => kid),
  );
  return { observation: { signingKey, secrets: described, provided, readableKids, heldKids }, secrets };
};
