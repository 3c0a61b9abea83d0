import { type CryptoKey, compactVerify, importJWK, type JWK } from 'jose';
import type { PublicJwk } from '../../ports/keys.ts';
import { ASSERTION_ALGORITHMS, type Claims, readClaims, type UnverifiedJwt } from './unverified-jwt.ts';

/** What a set of keys says of a JWT. `unknownKey`: none of them may have made it; a newer set might have one that has. */
type Verification =
  | { readonly kind: 'valid'; readonly claims: Claims }
  | { readonly kind: 'invalid' }
  | { readonly kind: 'unknownKey' };

/** Public keys of a client or of an external issuer. */
export interface KeySet {
  verify(jwt: UnverifiedJwt): Promise<Verification>;
}

interface Member {
  readonly jwk: PublicJwk;
  /** Imported once for each algorithm that it is used with. */
  readonly imported: Map<string, Promise<CryptoKey | Uint8Array | undefined>>;
}

/** Of a JWT without `kid`, and of keys that share one: each try is a signature check. */
const MAX_TRIES = 8;

/** RFC 9864 §2.2 has a separate name for EdDSA on Ed25519. */
const sameAlgorithm = (a: unknown, b: string): boolean =>
  a === b || (typeof a === 'string' && [a, b].every((name) => name === 'EdDSA' || name === 'Ed25519'));

/** RFC 8725 §3.1: a key is used with what it is for, whatever the header says. */
const fits = ({ kty, crv, alg }: PublicJwk, algorithm: string): boolean => {
  const wanted = ASSERTION_ALGORITHMS[algorithm];
  if (wanted === undefined || kty !== wanted.kty) return false;
  if (wanted.crv !== undefined && crv !== wanted.crv) return false;
  return alg === undefined || sameAlgorithm(alg, algorithm);
};

/** The members that make the public key: nothing else of the JWK may have a say in how it is imported. */
const importMember = ({ jwk, imported }: Member, algorithm: string) => {
  const known = imported.get(algorithm);
  if (known) return known;
  const { kty, crv, x, y, n, e } = jwk;
  const key = importJWK({ kty, crv, x, y, n, e } as JWK, algorithm).catch(() => undefined);
  imported.set(algorithm, key);
  return key;
};

/** Makes a {@link KeySet} of keys in which {@link FindJwkProblem} finds no fault. */
export const createKeySet = (jwks: readonly PublicJwk[]): KeySet => {
  const members: readonly Member[] = jwks.map((jwk) => ({ jwk, imported: new Map() }));
  /** A `kid` in the header picks (RFC 7515 §4.1.4); keys that have none may be meant by any. */
  const candidatesFor = (kid: string | undefined): readonly Member[] => {
    if (kid === undefined) return members;
    const named = members.filter(({ jwk }) => jwk.kid === kid);
    return named.length > 0 ? named : members.filter(({ jwk }) => jwk.kid === undefined);
  };
  return {
    verify: async (parsed) => {
      const { jwt, algorithm, kid } = parsed;
      const candidates = candidatesFor(kid);
      const fitting = candidates.filter(({ jwk }) => fits(jwk, algorithm)).slice(0, MAX_TRIES);
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
