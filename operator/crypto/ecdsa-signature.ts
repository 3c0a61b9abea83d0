/** DER tag of an INTEGER (X.690 §8.3). */
const INTEGER = 0x02;

/** Copies the INTEGER at `at` into `target`, without sign octet and right-aligned; gives where the next element begins. */
const copyInteger = (der: Buffer, at: number, target: Buffer): number => {
  const length = der[at + 1] ?? 0;
  const end = at + 2 + length;
  if (der[at] !== INTEGER || end > der.length) throw new RangeError('no DER ECDSA signature');
  const skipped = Math.max(0, length - target.length);
  der.copy(target, target.length - (length - skipped), at + 2 + skipped, end);
  return end;
};

/**
 * An ECDSA signature as JWS has it: R and S, each as long as the curve's order (RFC 7518 §3.4), from the DER that OpenSSL makes
 * (RFC 3279 §2.2.3). To have OpenSSL's binding convert it doubles the time of a signature (docs/decisions/0012).
 * @param octets length of each of them: 32 for P-256
 * @throws RangeError where it is no such signature, or too long for a one-octet length (P-521)
 */
export const joseSignature = (der: Buffer, octets: number): Buffer => {
  const signature = Buffer.alloc(2 * octets);
  const middle = copyInteger(der, 2, signature.subarray(0, octets));
  const end = copyInteger(der, middle, signature.subarray(octets));
  if (der[0] !== 0x30 || der[1] !== der.length - 2 || end !== der.length) {
    throw new RangeError('no DER ECDSA signature');
  }
  return signature;
};
