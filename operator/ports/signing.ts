import type { Algorithm, KeyPhase } from '../api/signing-key.ts';

/** JOSE header and claims of a JWT, before it is signed; `alg` and `kid` are the signer's. */
export interface UnsignedJwt {
  readonly typ: 'at+jwt' | 'JWT';
  readonly claims: Readonly<Record<string, unknown>>;
}

/** A private key that signs. */
export interface Signer {
  /** RFC 7638 thumbprint. */
  readonly kid: string;
  readonly algorithm: Algorithm;
  /** JWS compact serialisation (RFC 7515 §7.1). */
  sign(jwt: UnsignedJwt): Promise<string>;
}

/** A JWT that a key of this issuer has signed; its times, record and client are not checked. */
export interface VerifiedJwt {
  readonly kid: string;
  readonly algorithm: Algorithm;
  readonly claims: Readonly<Record<string, unknown>>;
}

/** Runs the check of a signature, at once or later. */
export type RunCheck = (check: () => Promise<VerifiedJwt | undefined>) => Promise<VerifiedJwt | undefined>;

/** The keys of the issuer, by the status of the SigningKeys, and the private keys that sign. */
export interface Keyring {
  /** The signer of the Active key of the configured SigningKey, once its private key is loaded. */
  active(): Signer | undefined;
  /** `Compromised` as soon as a SigningKey lists the kid; undefined for an unknown kid. */
  phase(kid: string): KeyPhase | 'Compromised' | undefined;
  /**
   * The JWT if a key of this issuer that is not compromised has signed it with the algorithm of that key, and `iss` is the issuer URL; else
   * undefined. Returned without a promise if the signature is cached as verified. Otherwise `inTurn` runs the check, which may let it wait.
   */
  verify(jwt: string, inTurn?: RunCheck): Promise<VerifiedJwt | undefined> | VerifiedJwt | undefined;
  /** Called when {@link Keyring.active} or any phase changed. */
  onChange(handler: () => void): () => void;
}

/** The public keys, for the JWKS and the discovery document. */
export interface PublicKeys {
  /** Whether the keys are known; before that the set is empty. */
  readonly known: boolean;
  /** RFC 7517 §5, without compromised keys. */
  jwks(): { readonly keys: readonly Readonly<Record<string, unknown>>[] };
  /** Called when the set may have changed. */
  onChange(handler: () => void): () => void;
}
