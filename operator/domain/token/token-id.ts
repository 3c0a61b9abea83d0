import { createHash } from 'node:crypto';
import type { Token } from '../../api/token.ts';

const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/iu;

/**
 * The name-based UUID, version 5 (RFC 9562 §5.5), of `name` within `namespace`.
 * @throws RangeError where the namespace is no UUID
 */
export const uuidV5 = (namespace: string, name: string): string => {
  if (!UUID.test(namespace)) throw new RangeError('the namespace of a name-based UUID has to be a UUID');
  const hash = createHash('sha1')
    .update(Buffer.from(namespace.replaceAll('-', ''), 'hex'))
    .update(name);
  const octets = hash.digest().subarray(0, 16);
  octets.writeUInt8((octets.readUInt8(6) & 0x0f) | 0x50, 6);
  octets.writeUInt8((octets.readUInt8(8) & 0x3f) | 0x80, 8);
  const hex = octets.toString('hex');
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
};

/**
 * The `jti` of a declared Token's n-th JWT (spec §2.1): known before it is signed, the same however often it is signed.
 * @throws RangeError where the uid is no UUID (the API server makes only such)
 */
export const tokenId = (uid: string, issuance: number): string => uuidV5(uid, String(issuance));

/** The `jti` of the JWT that a Token's next issuance will have. */
export const nextTokenId = ({ token }: { readonly token: Token }): string =>
  tokenId(token.metadata.uid, (token.status?.issuance ?? 0) + 1);
