import type { SigningKey } from '../../api/signing-key.ts';
import type { KeySecret, PublicKey } from './key-secrets.ts';

/** The key that `spec.privateKeyRef` names, or what is wrong with it. */
export type ProvidedKey =
  | { readonly key: PublicKey; readonly secretRef: { readonly name: string; readonly key: string } }
  | { readonly problem: string };

/** Everything that a plan for a SigningKey is made from; no private half is in it. */
export interface SigningKeyObservation {
  readonly signingKey: SigningKey;
  /** Every kid that a SigningKey of the namespace calls compromised: it counts for all of them. */
  readonly compromised: ReadonlySet<string>;
  /** The Secrets that the operator made for its keys. */
  readonly secrets: readonly KeySecret[];
  /** Undefined where the operator makes the keys. */
  readonly provided: ProvidedKey | undefined;
  /** Kids of brought keys in the status whose private half still stands where the status says. */
  readonly readableKids: ReadonlySet<string>;
  /** When the last good token signed with a key expires, in seconds since the Unix epoch; undefined where there is none. */
  lastExpirationOf(kid: string): number | 'never' | undefined;
  /** Why keys that had to be generated could not be stored. */
  readonly failure?: string | undefined;
  /** Milliseconds since the Unix epoch. */
  readonly now: number;
}
