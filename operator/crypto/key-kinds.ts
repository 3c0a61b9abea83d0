import type { KeyObject } from 'node:crypto';
import type { Algorithm } from '../api/signing-key.ts';

/** What a key has to be for an algorithm: an elliptic curve by OpenSSL's name, an Edwards curve, or RSA. */
export type KeyKind =
  | { readonly type: 'ec'; readonly curve: string; readonly label: string }
  | { readonly type: 'ed25519'; readonly label: string }
  | { readonly type: 'rsa'; readonly label: string };

/** RFC 7518 §3.3 asks for at least 2048 bits. */
export const RSA_MIN_BITS = 2048;
/** Above this one signature takes tens of milliseconds. */
export const RSA_MAX_BITS = 8192;

/** RFC 7518 §3.1, RFC 8037 §3.1. */
export const KEY_KINDS: Readonly<Record<Algorithm, KeyKind>> = {
  ES256: { type: 'ec', curve: 'prime256v1', label: 'an EC key on P-256' },
  ES384: { type: 'ec', curve: 'secp384r1', label: 'an EC key on P-384' },
  EdDSA: { type: 'ed25519', label: 'an Ed25519 key' },
  RS256: { type: 'rsa', label: `an RSA key of ${RSA_MIN_BITS} to ${RSA_MAX_BITS} bits` },
  PS256: { type: 'rsa', label: `an RSA key of ${RSA_MIN_BITS} to ${RSA_MAX_BITS} bits` },
};

const CURVE_NAMES: Readonly<Record<string, string>> = {
  prime256v1: 'P-256',
  secp384r1: 'P-384',
  secp521r1: 'P-521',
};

/** A key in a few words, e.g. `an EC key on P-384`; nothing that identifies the key. */
export const describeKey = (key: KeyObject): string => {
  const { namedCurve, modulusLength } = key.asymmetricKeyDetails ?? {};
  switch (key.asymmetricKeyType) {
    case 'ec':
      return `an EC key on ${CURVE_NAMES[namedCurve ?? ''] ?? namedCurve ?? 'unnamed parameters'}`;
    case 'rsa':
      return `an RSA key of ${modulusLength ?? 0} bits`;
    case 'ed25519':
      return 'an Ed25519 key';
    default:
      return `a key of type ${key.asymmetricKeyType ?? 'secret'}`;
  }
};

/** Whether a key may be used with the algorithm (curve, type, size). */
export const fits = (key: KeyObject, algorithm: Algorithm): boolean => {
  const kind = KEY_KINDS[algorithm];
  if (key.asymmetricKeyType !== kind.type) return false;
  const { namedCurve, modulusLength = 0 } = key.asymmetricKeyDetails ?? {};
  if (kind.type === 'ec') return namedCurve === kind.curve;
  if (kind.type === 'rsa') return modulusLength >= RSA_MIN_BITS && modulusLength <= RSA_MAX_BITS;
  return true;
};
