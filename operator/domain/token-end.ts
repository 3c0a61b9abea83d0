import type { Token } from '../api/token.ts';
import { lastExpirationOf } from './declared-records.ts';
import type { IssuedRecord } from './issued-record.ts';
import { blacklistedStatus, replayableUntil } from './issued-token-plan.ts';
import { isBlacklisted } from './token-plan.ts';

/** What DeleteTokens makes of an object (contract §4): a live one is blacklisted, an expired one deleted, whether blacklisted or not. */
export type TokenEnd =
  | { readonly kind: 'blacklist'; readonly status: { readonly [field: string]: unknown } }
  | { readonly kind: 'delete' }
  | { readonly kind: 'nothing' };

const NOTHING: TokenEnd = { kind: 'nothing' };

const isPast = (expiration: number | 'never' | undefined, nowSeconds: number): boolean =>
  typeof expiration === 'number' && expiration <= nowSeconds;

/** The end of a declared Token: it is live while any of its JWTs may still be good. Seconds since the Unix epoch. */
export const planTokenEnd = (token: Token, nowSeconds: number): TokenEnd => {
  if (token.metadata.deletionTimestamp !== undefined) return NOTHING;
  if (isPast(lastExpirationOf(token), nowSeconds)) return { kind: 'delete' };
  if (isBlacklisted({ token })) return NOTHING;
  const { status = {} } = token;
  return {
    kind: 'blacklist',
    status: { ...status, ...blacklistedStatus(status.version ?? 0, nowSeconds) },
  };
};

/**
 * The end of a handed-out token's record. One that keeps an assertion from being used again stays for as long as that
 * might be tried, though it has expired (contract §4): the leader collects it later.
 */
export const planIssuedTokenEnd = (record: IssuedRecord, nowSeconds: number): TokenEnd => {
  if (record.metadata.deletionTimestamp !== undefined) return NOTHING;
  if (isPast(record.expiration, nowSeconds)) {
    const isKept = replayableUntil(record) > nowSeconds;
    return isKept ? NOTHING : { kind: 'delete' };
  }
  if (record.blacklistedAt !== undefined) return NOTHING;
  return { kind: 'blacklist', status: { ...blacklistedStatus(record.version, nowSeconds) } };
};
