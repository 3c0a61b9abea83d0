import { constants, createPrivateKey, type SignKeyObjectInput, sign } from 'node:crypto';
import { promisify } from 'node:util';
import type { Algorithm } from '../api/signing-key.ts';
import type { KeyPair } from '../ports/keys.ts';
import type { Metrics } from '../ports/metrics.ts';
import type { Signer, UnsignedJwt } from '../ports/signing.ts';

export interface SignerOptions {
  /** Is told how long each signature took. */
  readonly metrics?: Pick<Metrics, 'signed'>;
}

/** How node:crypto makes the signature of an algorithm. */
interface Scheme {
  /** Null where the algorithm hashes by itself. */
  readonly hash: string | null;
  readonly options: Omit<SignKeyObjectInput, 'key'>;
  /** Made at once: handing it to another thread costs more than the signature itself. */
  readonly isQuick: boolean;
}

/** RFC 7518 §3.3-3.5 and RFC 8037 §3.1; ECDSA signatures are R and S, not DER (RFC 7518 §3.4). */
const SCHEMES: Readonly<Record<Algorithm, Scheme>> = {
  ES256: { hash: 'sha256', options: { dsaEncoding: 'ieee-p1363' }, isQuick: true },
  ES384: { hash: 'sha384', options: { dsaEncoding: 'ieee-p1363' }, isQuick: false },
  EdDSA: { hash: null, options: {}, isQuick: true },
  RS256: { hash: 'sha256', options: { padding: constants.RSA_PKCS1_PADDING }, isQuick: false },
  PS256: {
    hash: 'sha256',
    options: {
      padding: constants.RSA_PKCS1_PSS_PADDING,
      saltLength: constants.RSA_PSS_SALTLEN_DIGEST,
    },
    isQuick: false,
  },
};

const signElsewhere = promisify(sign);

const encode = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');

/**
 * A {@link Signer} on node:crypto, which makes a token at half of what WebCrypto takes (docs/decisions/0012); the private half is a
 * KeyObject, made once.
 */
export const createSigner = (
  { kid, algorithm, privatePem }: KeyPair,
  options: SignerOptions = {},
): Signer => {
  const { hash, options: scheme, isQuick } = SCHEMES[algorithm];
  const key = { key: createPrivateKey(privatePem), ...scheme };
  const headers: Readonly<Record<UnsignedJwt['typ'], string>> = {
    'at+jwt': encode({ alg: algorithm, kid, typ: 'at+jwt' }),
    JWT: encode({ alg: algorithm, kid, typ: 'JWT' }),
  };
  return {
    kid,
    algorithm,
    sign: async ({ typ, claims }) => {
      const startedAt = performance.now();
      // RFC 7515 §5.1: what is signed is the encoded header and payload with a period between them.
      const input = `${headers[typ]}.${encode(claims)}`;
      const bytes = Buffer.from(input);
      const signature = isQuick ? sign(hash, bytes, key) : await signElsewhere(hash, bytes, key);
      options.metrics?.signed(algorithm, (performance.now() - startedAt) / 1000);
      return `${input}.${signature.toString('base64url')}`;
    },
  };
};
