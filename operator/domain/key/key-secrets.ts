import { createHash } from 'node:crypto';
import { GROUP } from '../../api/meta.ts';
import { ALGORITHMS, type Algorithm, type KeyEntry } from '../../api/signing-key.ts';
import { ownAnnotationsOf, ownLabelsOf } from '../own-mark.ts';

/** `type` of the Secrets that hold the private halves. */
export const KEY_SECRET_TYPE = `${GROUP}/signing-key`;
/** Label with the name of the SigningKey. */
export const SIGNING_KEY_LABEL = `${GROUP}/signing-key`;
/** Data key of the private half, PKCS#8 in PEM. */
export const PRIVATE_PEM = 'private.pem';
/** Data key of the retired entries, in the Secret of the Active key: their private halves are deleted, so a lost status is rebuilt from these. */
export const RETIRED_KEYS = 'retired.json';
/** Data key of the compromised kids, in the Secret of the Active and the Published key: a SigningKey that is created again does not bring them back. */
export const COMPROMISED_KIDS = 'compromised.json';
/** What a Secret keeps of compromised kids at most. */
export const MAX_COMPROMISED = 2048;

export const KID_ANNOTATION = `${GROUP}/kid`;
const ALGORITHM_ANNOTATION = `${GROUP}/algorithm`;
const PUBLISHED_AT_ANNOTATION = `${GROUP}/published-at`;
const ACTIVATED_AT_ANNOTATION = `${GROUP}/activated-at`;
const RETIRED_AT_ANNOTATION = `${GROUP}/retired-at`;

/** A public half and what it is for. */
export interface PublicKey {
  readonly kid: string;
  readonly algorithm: Algorithm;
  readonly publicJWK: Readonly<Record<string, unknown>>;
}

/** One of our key Secrets, without its private half. */
export interface KeySecret {
  readonly name: string;
  readonly uid: string;
  readonly resourceVersion: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  /** What its private half is; undefined where it is missing, unreadable, or another key's than the Secret was made for. */
  readonly key: PublicKey | undefined;
  /** The retired entries that it keeps. */
  readonly retired: readonly KeyEntry[];
  /** The compromised kids that it keeps. */
  readonly compromised: readonly string[];
}

/** The name of a key's Secret; the same key always has the same name, so that a create whose answer was lost is found again. */
export const keySecretName = (signingKey: string, kid: string): string =>
  `${signingKey.slice(0, 236)}-${createHash('sha256').update(kid).digest('hex').slice(0, 16)}`;

/** Labels and annotations of a key's Secret that say whose it is. */
export const keySecretMarks = (signingKey: string, kid: string) => {
  const name = keySecretName(signingKey, kid);
  return {
    labels: { ...ownLabelsOf(name), [SIGNING_KEY_LABEL]: signingKey },
    annotations: ownAnnotationsOf(name, { kind: 'SigningKey', name: signingKey }),
  };
};

/** Annotations of a key's Secret; those of the phases only once the status has said so. */
export const keySecretAnnotations = (
  key: Pick<KeyEntry, 'kid' | 'algorithm'> & Partial<KeyEntry>,
): Readonly<Record<string, string>> => ({
  [KID_ANNOTATION]: key.kid,
  [ALGORITHM_ANNOTATION]: key.algorithm,
  ...(key.publishedAt && { [PUBLISHED_AT_ANNOTATION]: key.publishedAt }),
  ...(key.activatedAt && { [ACTIVATED_AT_ANNOTATION]: key.activatedAt }),
  ...(key.retiredAt && { [RETIRED_AT_ANNOTATION]: key.retiredAt }),
});

/** The algorithm that a key Secret names, where it is one. */
export const algorithmOf = (annotations: Readonly<Record<string, string>>): Algorithm | undefined =>
  ALGORITHMS.find((algorithm) => algorithm === annotations[ALGORITHM_ANNOTATION]);

/** Whether the Secret was made for a key of this SigningKey: its name says so. Any other is left alone. */
export const isKeySecretOf = (signingKey: string, secret: KeySecret): boolean =>
  [secret.annotations[KID_ANNOTATION], secret.key?.kid].some(
    (kid) => kid !== undefined && keySecretName(signingKey, kid) === secret.name,
  );

const timeIn = (secret: KeySecret, annotation: string): string | undefined => {
  const time = secret.annotations[annotation];
  return time !== undefined && !Number.isNaN(Date.parse(time)) ? time : undefined;
};

/** The status entry according to a Secret's annotations; undefined if its key was never published or can't be read. */
export const rebuildEntry = (secret: KeySecret): KeyEntry | undefined => {
  const publishedAt = timeIn(secret, PUBLISHED_AT_ANNOTATION);
  if (secret.key === undefined || publishedAt === undefined) return undefined;
  const activatedAt = timeIn(secret, ACTIVATED_AT_ANNOTATION);
  const retiredAt = timeIn(secret, RETIRED_AT_ANNOTATION);
  const phase = retiredAt ? 'Retired' : activatedAt ? 'Active' : 'Published';
  return {
    ...secret.key,
    publicJWK: { ...secret.key.publicJWK },
    phase,
    publishedAt,
    ...(activatedAt && { activatedAt }),
    ...(retiredAt && { retiredAt }),
    secretRef: { name: secret.name },
  };
};

const isRetiredEntry = (value: unknown): value is KeyEntry => {
  if (typeof value !== 'object' || value === null) return false;
  const { kid, algorithm, phase, publishedAt, publicJWK } = value as Partial<KeyEntry>;
  return (
    typeof kid === 'string' &&
    ALGORITHMS.some((known) => known === algorithm) &&
    phase === 'Retired' &&
    typeof publishedAt === 'string' &&
    typeof publicJWK === 'object' &&
    publicJWK !== null
  );
};

const readList = (text: string | undefined): readonly unknown[] => {
  if (text === undefined) return [];
  try {
    const value: unknown = JSON.parse(text);
    return Array.isArray(value) ? value : [];
  } catch {
    return [];
  }
};

/** Reads what {@link RETIRED_KEYS} holds; what can't be read is none. */
export const readRetiredKeys = (text: string | undefined): KeyEntry[] =>
  readList(text).filter(isRetiredEntry);

/** Reads what {@link COMPROMISED_KIDS} holds; what can't be read is none. */
export const readCompromisedKids = (text: string | undefined): string[] =>
  readList(text)
    .filter((value) => typeof value === 'string')
    .slice(0, MAX_COMPROMISED);
