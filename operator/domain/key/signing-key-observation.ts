import type { KeyEntry, SigningKey } from '../../api/signing-key.ts';
import { durationMs, floorSeconds, formatTime } from '../../api/time.ts';
import type { CompromisedKeys } from './compromised-keys.ts';
import { isKeySecretOf, type KeySecret, keySecretName, type PublicKey } from './key-secrets.ts';

/** The key that `spec.privateKeyRef` names, or why it can't be used. */
export type ProvidedKey =
  | { readonly key: PublicKey; readonly secretRef: { readonly name: string; readonly key: string } }
  | { readonly problem: string };

/** The input of a plan for a SigningKey; it has no private key. */
export interface SigningKeyObservation {
  readonly signingKey: SigningKey;
  /** Every kid that a SigningKey of the namespace names as compromised: it counts for all of them. */
  readonly compromised: ReadonlySet<string>;
  /** What the operator remembers of compromised keys, whether a SigningKey still names them or not. Absent: nothing. */
  readonly remembered?: CompromisedKeys;
  /** The Secrets that the operator created for its keys. */
  readonly secrets: readonly KeySecret[];
  /** Undefined if the operator generates the keys. */
  readonly provided: ProvidedKey | undefined;
  /** Kids of provided keys in the status whose private key is still where the status says. */
  readonly readableKids: ReadonlySet<string>;
  /**
   * Kids in the status whose provided private key this process has in memory, also if its Secret has another one by now, or is gone.
   * Absent: none.
   */
  readonly heldKids?: ReadonlySet<string> | undefined;
  /** When the last valid token that a key has signed expires, in seconds since the Unix epoch; undefined if there is none. */
  lastExpirationOf(kid: string): number | 'never' | undefined;
  /** Why keys that had to be generated could not be stored. */
  readonly failure?: string | undefined;
  /** Milliseconds since the Unix epoch. */
  readonly now: number;
}

/** Used without `spec.rotation` (spec §2.5). */
const DEFAULT_ROTATION = { interval: '2160h', publishBefore: '24h' };
/** The max-age of the served JWKS: by schedule no key signs that verifiers may not know yet. */
export const MIN_PUBLISH_SECONDS = 300;

/** An observation with what every step of a plan derives from it. Times and durations are in seconds. */
export interface RotationContext extends Omit<SigningKeyObservation, 'remembered'> {
  /** `now`. */
  readonly seconds: number;
  /** `now` as RFC 3339. */
  readonly time: string;
  readonly interval: number;
  readonly publishBefore: number;
  /** Named by a spec, or only remembered. */
  readonly compromised: ReadonlySet<string>;
  /** Compromised kids that only the operator remembers, and no spec names any more: the JWKS does not leave them out. */
  readonly remembered: ReadonlySet<string>;
  /** Compromised kids that the Secrets of keys are to keep: those of specs and of Secrets. */
  readonly noted: ReadonlySet<string>;
  /** Too many keys were compromised to remember all: a key that is new to the status may be one of them. */
  readonly hasForgotten: boolean;
  /** The operator's Secrets for keys of this SigningKey, by name. */
  readonly ownSecrets: ReadonlyMap<string, KeySecret>;
  /** Whether the private key of an entry is available. */
  isUsable(entry: Pick<KeyEntry, 'kid' | 'secretRef'>): boolean;
  /**
   * Whether another provided key replaces that of an entry in the same Secret, so that it is in the memory of running replicas alone: those
   * that start later sign with the other one (spec §2.5).
   */
  isReplaced(entry: Pick<KeyEntry, 'kid' | 'secretRef'>): boolean;
}

/** Derives the {@link RotationContext} of an observation. */
export const buildRotationContext = (observation: SigningKeyObservation): RotationContext => {
  const { remembered, ...rest } = observation;
  const { signingKey, compromised: named, secrets, provided, readableKids, heldKids, now } = rest;
  const { name } = signingKey.metadata;
  const { interval, publishBefore } = { ...DEFAULT_ROTATION, ...signingKey.spec.rotation };
  const ownSecrets = new Map(
    secrets.filter((secret) => isKeySecretOf(name, secret)).map((secret) => [secret.name, secret]),
  );
  const seconds = floorSeconds(now);
  const noted = [...ownSecrets.values()].flatMap(({ compromised }) => compromised);
  const stored = [...noted, ...(remembered?.kids ?? [])];
  const readable = provided && 'key' in provided ? provided : undefined;
  const isProvidedHere = (secretRef: KeyEntry['secretRef']): boolean =>
    readable !== undefined &&
    secretRef?.name === readable.secretRef.name &&
    secretRef.key === readable.secretRef.key;
  const isReplaced: RotationContext['isReplaced'] = ({ kid, secretRef }) =>
    heldKids?.has(kid) === true &&
    !readableKids.has(kid) &&
    kid !== readable?.key.kid &&
    isProvidedHere(secretRef);
  return {
    ...rest,
    seconds,
    time: formatTime(seconds),
    interval: durationMs(interval) / 1000,
    publishBefore: Math.max(MIN_PUBLISH_SECONDS, durationMs(publishBefore) / 1000),
    compromised: new Set([...named, ...stored]),
    remembered: new Set(stored.filter((kid) => !named.has(kid))),
    noted: new Set([...named, ...noted]),
    hasForgotten: remembered?.hasOverflowed === true,
    ownSecrets,
    isReplaced,
    isUsable: (entry) =>
      readableKids.has(entry.kid) ||
      readable?.key.kid === entry.kid ||
      ownSecrets.get(keySecretName(name, entry.kid))?.key?.kid === entry.kid ||
      isReplaced(entry),
  };
};
