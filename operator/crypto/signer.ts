import { constants, createPrivateKey, type KeyObject, sign } from 'node:crypto';
import { promisify } from 'node:util';
import type { Algorithm } from '../api/signing-key.ts';
import type { KeyPair } from '../ports/keys.ts';
import type { Metrics } from '../ports/metrics.ts';
import type { Signer, UnsignedJwt } from '../ports/signing.ts';

export interface SignerOptions {
  /** Gets the duration of each signature. */
  readonly metrics?: Pick<Metrics, 'signed'>;
}

/** DER tag of an INTEGER (X.690 §8.3). */
const INTEGER = 0x02;

/** Copies the INTEGER at `at` into `target`, right-aligned and without its sign octet. Returns the offset of the next element. */
const copyInteger = (der: Buffer, at: number, target: Buffer): number => {
  const length = der[at + 1] ?? 0;
  const end = at + 2 + length;
  if (der[at] !== INTEGER || end > der.length) throw new RangeError('not an ECDSA signature in DER');
  const skipped = Math.max(0, length - target.length);
  der.copy(target, target.length - (length - skipped), at + 2 + skipped, end);
  return end;
};

/**
 * Converts an ECDSA signature from DER (RFC 3279 §2.2.3), which OpenSSL creates, to the form of a JWS: R and S, each as long as the
 * curve's order (RFC 7518 §3.4). The conversion by Node takes as long as the signature itself (docs/decisions/0012).
 * @param octets length of R and of S: 32 for P-256
 * @throws RangeError if it is not such a signature, or too long for a one-octet length (P-521)
 */
export const joseSignature = (der: Buffer, octets: number): Buffer => {
  const signature = Buffer.alloc(2 * octets);
  const middle = copyInteger(der, 2, signature.subarray(0, octets));
  const end = copyInteger(der, middle, signature.subarray(octets));
  if (der[0] !== 0x30 || der[1] !== der.length - 2 || end !== der.length) {
    throw new RangeError('not an ECDSA signature in DER');
  }
  return signature;
};

type Sign = (key: KeyObject, bytes: Buffer) => Buffer | Promise<Buffer>;

const signElsewhere = promisify(sign);
const PSS = {
  padding: constants.RSA_PKCS1_PSS_PADDING,
  saltLength: constants.RSA_PSS_SALTLEN_DIGEST,
};

/**
 * RFC 7518 §3.3-3.5 and RFC 8037 §3.1. What is quick is made at once, since handing it to another thread costs more than the
 * signature itself; RSA and P-384 go to the thread pool.
 */
const SIGN: Readonly<Record<Algorithm, Sign>> = {
  ES256: (key, bytes) => joseSignature(sign('sha256', bytes, key), 32),
  EdDSA: (key, bytes) => sign(null, bytes, key),
  ES384: (key, bytes) => signElsewhere('sha384', bytes, { key, dsaEncoding: 'ieee-p1363' }),
  RS256: (key, bytes) => signElsewhere('sha256', bytes, key),
  PS256: (key, bytes) => signElsewhere('sha256', bytes, { key, ...PSS }),
};

const encode = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');

/**
 * A {@link Signer} on node:crypto, which makes a token at half of what WebCrypto takes (docs/decisions/0012); the private half is a
 * KeyObject, made once.
 */
export const createSigner = (
  { kid, algorithm, privatePem }: KeyPair,
  options: SignerOptions = {},
): Signer => {
  const key = createPrivateKey(privatePem);
  const signBytes = SIGN[algorithm];
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
      const signature = await signBytes(key, Buffer.from(input));
      options.metrics?.signed(algorithm, (performance.now() - startedAt) / 1000);
      return `${input}.${signature.toString('base64url')}`;
    },
  };
};
