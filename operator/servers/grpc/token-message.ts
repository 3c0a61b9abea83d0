import type { TokenRecord } from '../../domain/record/token-record.ts';
import { fitsValue } from './claims-value.ts';
import type { Token } from './generated/m2moauthserver/pb/service.ts';

/** Whether a message has to leave out the record's claims. */
export const leavesOutClaims = ({ originalTokenClaims }: TokenRecord): boolean =>
  originalTokenClaims !== undefined && !fitsValue(originalTokenClaims);

/** The message that says what a record says. A blacklisting that only the spec asks for so far has no time. */
export const tokenMessage = (record: TokenRecord, leaveOutClaims = false): Token => ({
  id: record.id,
  version: BigInt(record.version),
  name: record.name,
  owner: record.owner,
  issuedAt: BigInt(record.issuedAt),
  // Written at once and never kept: the records' own lists are as good as copies.
  audience: record.audience as string[],
  scope: record.scope as string[],
  expiration: BigInt(record.expiration ?? 0),
  clientId: record.clientID,
  originalTokenClaims: leaveOutClaims ? undefined : record.originalTokenClaims,
  blacklisted:
    record.blacklistedAt === undefined ? undefined : { flag: true, timestamp: BigInt(record.blacklistedAt) },
  subject: record.subject,
});
