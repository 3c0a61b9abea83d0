import { type CryptoKey, compactVerify, importJWK, type JWK } from 'jose';
import type { PublicJwk } from '../../ports/keys.ts';
import type { IsOwnKey } from '../keys/own-keys.ts';
import { verifyDecoy } from './decoy-signature.ts';
import { ASSERTION_ALGORITHMS, type Claims, readClaims, type UnverifiedJwt } from './unverified-jwt.ts';

/** The result of verifying a JWT with a key set. `unknownKey`: no key of the set fits it, but one of a newer set might. */
type Verification =
  | { readonly kind: 'valid'; readonly claims: Claims }
  | { readonly kind: 'invalid' }
  | { readonly kind: 'unknownKey' };

/** Public keys of a client or an external issuer. A set without a fitting key does the work of a verification too. */
export interface KeySet {
  verify(jwt: UnverifiedJwt): Promise<Verification>;
}

interface Member {
  readonly jwk: PublicJwk;
  /** The imported key, by algorithm. */
  readonly imported: Map<string, Promise<CryptoKey | Uint8Array | undefined>>;
}

/** Signature checks for one JWT, if its `kid` is missing or several keys share it. */
const MAX_TRIES = 8;

/** `Ed25519` (RFC 9864 §2.2) is another name of EdDSA with Ed25519. */
const sameAlgorithm = (a: unknown, b: string): boolean =>
  a === b || (typeof a === 'string' && [a, b].every((name) => name === 'EdDSA' || name === 'Ed25519'));

/** RFC 8725 §3.1: a key is used with the algorithm that it is for, whatever the header says. */
const fits = ({ kty, crv, alg }: PublicJwk, algorithm: string): boolean => {
  const wanted = ASSERTION_ALGORITHMS[algorithm];
  if (wanted === undefined || kty !== wanted.kty) return false;
  if (wanted.crv !== undefined && crv !== wanted.crv) return false;
  return alg === undefined || sameAlgorithm(alg, algorithm);
};

/** Imports a key from its public members alone: no other member may influence the import. */
const importMember = ({ jwk, imported }: Member, algorithm: string) => {
  const known = imported.get(algorithm);
  if (known) return known;
  const { kty, crv, x, y, n, e } = jwk;
  const key = importJWK({ kty, crv, x, y, n, e } as JWK, algorithm).catch(() => undefined);
  imported.set(algorithm, key);
  return key;
};

/** Makes a {@link KeySet} of keys without a problem (see FindJwkProblem). A set with a key of this issuer verifies nothing. */
export const createKeySet = (jwks: readonly PublicJwk[], isOwnKey: IsOwnKey): KeySet => {
  const members: readonly Member[] = jwks.map((jwk) => ({ jwk, imported: new Map() }));
  /** The keys with the `kid` of the header (RFC 7515 §4.1.4); if there are none, those without a kid. */
  const candidatesFor = (kid: string | undefined): readonly Member[] => {
    if (kid === undefined) return members;
    const named = members.filter(({ jwk }) => jwk.kid === kid);
    return named.length > 0 ? named : members.filter(({ jwk }) => jwk.kid === undefined);
  };
  return {
    verify: async (parsed) => {
      if (jwks.some(isOwnKey)) {
        await verifyDecoy(parsed);
        return { kind: 'invalid' };
      }
      const { jwt, algorithm, kid } = parsed;
      const candidates = candidatesFor(kid);
      const fitting = candidates.filter(({ jwk }) => fits(jwk, algorithm)).slice(0, MAX_TRIES);
      if (fitting.length === 0) await verifyDecoy(parsed);
      for (const member of fitting) {
        const key = await importMember(member, algorithm);
        const verified =
          key && (await compactVerify(jwt, key, { algorithms: [algorithm] }).catch(() => undefined));
        const claims = verified && readClaims(verified.payload);
        if (claims) return { kind: 'valid', claims };
      }
      const isNamed = kid !== undefined && candidates.some(({ jwk }) => jwk.kid === kid);
      return { kind: isNamed ? 'invalid' : 'unknownKey' };
    },
  };
};
