import type { Algorithm } from '../api/signing-key.ts';
import type { Signer } from './signing.ts';

/** A JSON Web Key with public members alone (RFC 7517 §4). */
export type PublicJwk = Readonly<Record<string, unknown>>;

/** A key pair of the issuer. Its private half stands in a Secret and in memory, nowhere else. */
export interface KeyPair {
  /** RFC 7638 thumbprint of the public half. */
  readonly kid: string;
  readonly algorithm: Algorithm;
  /** PKCS#8 in PEM (RFC 7468 §10). */
  readonly privatePem: string;
  /** With `kid`, `use: sig` and `alg`. */
  readonly publicJWK: PublicJwk;
}

/** What became of a PEM text: `problem` says what is wrong with it, and repeats nothing of it. */
export type KeyReading = { readonly key: KeyPair } | { readonly problem: string };

/** Makes and reads the issuer's key pairs. */
export interface KeyPairs {
  /** A new key pair from the system's randomness. */
  generate(algorithm: Algorithm): Promise<KeyPair>;
  /** Reads a PEM private key (PKCS#8, SEC 1 or PKCS#1, not encrypted) that is to be used with `algorithm`. */
  read(pem: string, algorithm: Algorithm): Promise<KeyReading>;
  /** Makes the private half ready to sign, once for many signatures. */
  signer(key: KeyPair): Promise<Signer>;
}

/** The RFC 7638 thumbprint of a public key (SHA-256, base64url), whatever other members the JWK has and however its numbers are encoded; undefined if it can't be read. */
export type ThumbprintOf = (jwk: PublicJwk) => string | undefined;

/** Says what keeps a JWK from verifying the signatures of an external issuer (private or symmetric, weak, not for signatures, unreadable); undefined where nothing does. */
export type FindJwkProblem = (jwk: unknown) => string | undefined;
