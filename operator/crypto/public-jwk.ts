import { createPublicKey, type JsonWebKey, type KeyObject } from 'node:crypto';
import { canonicalDigest } from '../domain/canonical-json.ts';
import type { FindJwkProblem, ThumbprintOf } from '../ports/keys.ts';
import { describeKey, RSA_MAX_BITS, RSA_MIN_BITS } from './key-kinds.ts';

/** RFC 7518 §6.2.2, §6.3.2, §6.4.1; RFC 8037 §2. */
const PRIVATE_MEMBERS = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k'];
const ASYMMETRIC = /^(?:(?:ES|RS|PS)(?:256|384|512)|EdDSA|Ed25519)$/u;
const CURVES = new Set(['prime256v1', 'secp384r1', 'secp521r1']);

/** Which algorithms a key can be meant for: `alg` (RFC 7517 §4.4) has to be among them. */
const algorithmsOf = (key: KeyObject): RegExp => {
  switch (key.asymmetricKeyType) {
    case 'rsa':
      return /^(?:RS|PS)/u;
    case 'ed25519':
      return /^Ed/u;
    default:
      switch (key.asymmetricKeyDetails?.namedCurve) {
        case 'prime256v1':
          return /^ES256$/u;
        case 'secp384r1':
          return /^ES384$/u;
        default:
          return /^ES512$/u;
      }
  }
};

const isStrong = (key: KeyObject): boolean => {
  const { namedCurve, modulusLength = 0 } = key.asymmetricKeyDetails ?? {};
  switch (key.asymmetricKeyType) {
    case 'ec':
      return CURVES.has(namedCurve ?? '');
    case 'rsa':
      return modulusLength >= RSA_MIN_BITS && modulusLength <= RSA_MAX_BITS;
    default:
      return key.asymmetricKeyType === 'ed25519';
  }
};

const importKey = (jwk: JsonWebKey): KeyObject | undefined => {
  try {
    return createPublicKey({ key: jwk, format: 'jwk' });
  } catch {
    return undefined;
  }
};

/** {@link ThumbprintOf}, of the key as node:crypto exports it: another encoding of its numbers is not another key. */
export const thumbprintOf: ThumbprintOf = (jwk) => {
  const { crv, e, kty, n, x, y } = importKey(jwk)?.export({ format: 'jwk' }) ?? {};
  return kty === undefined ? undefined : canonicalDigest({ crv, e, kty, n, x, y });
};

/** {@link FindJwkProblem}: RSA of at least 2048 bits, EC on P-256, P-384 or P-521, and Ed25519 verify; RFC 7517 §4.2-4.4 decide what else the key says it is for. */
export const findJwkProblem: FindJwkProblem = (jwk) => {
  if (typeof jwk !== 'object' || jwk === null || Array.isArray(jwk)) return 'it is no JSON object';
  const members = jwk as Record<string, unknown>;
  if (members.kty === 'oct') return 'it is symmetric (kty oct)';
  if (PRIVATE_MEMBERS.some((name) => members[name] !== undefined)) return 'it has private members';
  if (members.use !== undefined && members.use !== 'sig') return 'its use is not sig';
  if (Array.isArray(members.key_ops) && !members.key_ops.includes('verify')) return 'its key_ops lack verify';
  const key = importKey(members);
  if (key === undefined) return 'it can not be read as a public key';
  if (!isStrong(key)) return `${describeKey(key)} is not accepted`;
  if (members.alg === undefined) return undefined;
  const isFitting =
    typeof members.alg === 'string' && ASYMMETRIC.test(members.alg) && algorithmsOf(key).test(members.alg);
  return isFitting ? undefined : 'its alg does not fit the key';
};
