import { ownerOf, type TokenRecord } from '../../domain/record/token-record.ts';
import type { Token } from './generated/m2moauthserver/pb/service.ts';

/** Nesting of objects and arrays in claims: protobuf implementations decode at most 100 levels, and a google.protobuf.Value takes three for each. */
const MAX_DEPTH = 30;

const isPlain = (value: object): boolean => {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
};

/**
 * Whether a google.protobuf.Value can represent a value. The generated code throws for a bigint, encodes a Date as `{}`, drops
 * undefined, and encodes what is nested too deeply to be decoded.
 */
export const fitsValue = (value: unknown, depth = 0): boolean => {
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return true;
    case 'number':
      return Number.isFinite(value);
    case 'object':
      if (value === null) return true;
      if (depth >= MAX_DEPTH) return false;
      if (Array.isArray(value)) return value.every((item) => fitsValue(item, depth + 1));
      return isPlain(value) && Object.values(value).every((item) => fitsValue(item, depth + 1));
    default:
      return false;
  }
};

/** Whether the message of a record can't hold its original claims. */
export const leavesOutClaims = ({ originalTokenClaims }: TokenRecord): boolean =>
  originalTokenClaims !== undefined && !fitsValue(originalTokenClaims);

/** The Token message of a record. A blacklisting that only the spec requests so far has the timestamp 0. */
export const tokenMessage = (record: TokenRecord, leaveOutClaims = false): Token => ({
  id: record.id,
  version: BigInt(record.version),
  name: record.name,
  owner: ownerOf(record),
  issuedAt: BigInt(record.issuedAt),
  // The message is encoded at once and not kept, so the record's own lists need not be copied.
  audience: record.audience as string[],
  scope: record.scope as string[],
  expiration: BigInt(record.expiration ?? 0),
  clientId: record.clientID,
  originalTokenClaims: leaveOutClaims ? undefined : record.originalTokenClaims,
  blacklisted:
    record.blacklistedAt === undefined ? undefined : { flag: true, timestamp: BigInt(record.blacklistedAt) },
  subject: record.subject,
});
