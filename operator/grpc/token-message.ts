import type { TokenRecord } from '../domain/token-record.ts';
import type { Token } from './generated/m2moauthserver/pb/service.ts';

/** The message that says what a record says. `originalTokenClaims` are taken as they are. */
export const tokenMessage = (record: TokenRecord): Token => ({
  id: record.id,
  version: BigInt(record.version),
  name: record.name,
  owner: record.owner,
  issuedAt: BigInt(record.issuedAt),
  audience: record.audience as string[],
  scope: record.scope as string[],
  expiration: BigInt(record.expiration ?? 0),
  clientId: record.clientID,
  originalTokenClaims: record.originalTokenClaims,
  blacklisted:
    record.blacklistedAt === undefined ? undefined : { flag: true, timestamp: BigInt(record.blacklistedAt) },
  subject: record.subject,
});
