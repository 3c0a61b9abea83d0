/** 256 bits, beyond any guessing (RFC 6749 §10.10). */
const SECRET_BYTES = 32;

/** A client secret of 43 base64url characters from a source of random bytes (`crypto.randomBytes`). */
export const newClientSecret = (randomBytes: (size: number) => Uint8Array): string =>
  Buffer.from(randomBytes(SECRET_BYTES)).toString('base64url');
