import type { Algorithm, KeyPhase } from '../api/signing-key.ts';

/** JOSE header and claims of a JWT, before it is signed; `alg` and `kid` are the signer's. */
export interface UnsignedJwt {
  readonly typ: 'at+jwt' | 'JWT';
  readonly claims: Readonly<Record<string, unknown>>;
}

/** One private key, ready to sign. */
export interface Signer {
  /** RFC 7638 thumbprint. */
  readonly kid: string;
  readonly algorithm: Algorithm;
  /** JWS compact serialisation (RFC 7515 §7.1). */
  sign(jwt: UnsignedJwt): Promise<string>;
}

/** A JWT whose signature one of our keys has made. Nothing is said of time, record or client. */
export interface VerifiedJwt {
  readonly kid: string;
  readonly algorithm: Algorithm;
  readonly claims: Readonly<Record<string, unknown>>;
}

/** Every key of the issuer, as the SigningKeys' status says, and the private halves that sign. */
export interface Keyring {
  /** The Active key of the configured SigningKey, once its private half is loaded. */
  active(): Signer | undefined;
  /** `Compromised` as soon as a SigningKey lists the kid; undefined where no key is known by it. */
  phase(kid: string): KeyPhase | 'Compromised' | undefined;
  /** The JWT if one of our keys (not compromised ones) signed it with the algorithm that the key is for, and `iss` is ours; otherwise undefined. At once where the signature has been checked before. */
  verify(jwt: string): Promise<VerifiedJwt | undefined> | VerifiedJwt | undefined;
  /** Called when {@link Keyring.active} or any phase changed. */
  onChange(handler: () => void): () => void;
}

/** The public halves, as documents show them. */
export interface PublicKeys {
  /** There are keys, and they are known: before that the set is empty, which says nothing. */
  readonly known: boolean;
  /** RFC 7517 §5, without compromised keys. */
  jwks(): { readonly keys: readonly Readonly<Record<string, unknown>>[] };
  /** Called when the set may have changed. */
  onChange(handler: () => void): () => void;
}
