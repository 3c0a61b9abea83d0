import type { Token } from '../../api/token.ts';
import type { CachedIssuedToken } from './cached-issued-token.ts';
import { batchedId, type CachedTokenBatch, expiriesOf } from './cached-token-batch.ts';
import { lastExpirationOf } from './declared-records.ts';
import { blacklistedStatus, replayableUntil } from './issued-token-plan.ts';
import { changedBatchStatus } from './token-batch-plan.ts';
import { blacklistedAtOf } from './token-record.ts';

/** How many tokens a write ends, as DeleteTokens counts them. */
export interface RevocationCounts {
  readonly blacklisted: number;
  readonly deleted: number;
}

/** What DeleteTokens makes of an object (spec §4): a live token is blacklisted, an expired one deleted, whether blacklisted or not. */
export type RevocationPlan =
  /** To write its whole status. */
  | { readonly kind: 'write'; readonly status: object; readonly counts: RevocationCounts }
  /** To delete the object. */
  | { readonly kind: 'delete'; readonly counts: RevocationCounts }
  | { readonly kind: 'nothing' };

const NOTHING: RevocationPlan = { kind: 'nothing' };
const DELETE: RevocationPlan = { kind: 'delete', counts: { blacklisted: 0, deleted: 1 } };

const blacklistWith = (status: object): RevocationPlan => ({
  kind: 'write',
  status,
  counts: { blacklisted: 1, deleted: 0 },
});

const isPast = (expiration: number | 'never' | undefined, nowSeconds: number): boolean =>
  typeof expiration === 'number' && expiration <= nowSeconds;

/** The end of a declared Token: it is live while any of its JWTs may still be valid. Seconds since the Unix epoch. */
export const planTokenRevocation = (token: Token, nowSeconds: number): RevocationPlan => {
  if (token.metadata.deletionTimestamp !== undefined) return NOTHING;
  if (isPast(lastExpirationOf(token), nowSeconds)) return DELETE;
  if (blacklistedAtOf(token) !== undefined) return NOTHING;
  const { status = {} } = token;
  return blacklistWith({ ...status, ...blacklistedStatus(status.version ?? 0, nowSeconds) });
};

/**
 * The end of a issued token's record. One that keeps an assertion from being used again stays for as long as that
 * might be tried, though it has expired (spec §4): the leader collects it later.
 */
export const planIssuedTokenRevocation = (record: CachedIssuedToken, nowSeconds: number): RevocationPlan => {
  if (record.metadata.deletionTimestamp !== undefined) return NOTHING;
  if (isPast(record.expiration, nowSeconds)) {
    const isKept = replayableUntil(record) > nowSeconds;
    return isKept ? NOTHING : DELETE;
  }
  if (record.blacklistedAt !== undefined) return NOTHING;
  return blacklistWith(blacklistedStatus(record.version, nowSeconds));
};

/**
 * The end of some records of a TokenBatch, in one write; the object goes with the last of its records. No client's own
 * assertion is held by one (spec §4).
 */
export const planBatchRevocation = (
  batch: CachedTokenBatch,
  ids: ReadonlySet<string>,
  nowSeconds: number,
): RevocationPlan => {
  if (batch.metadata.deletionTimestamp !== undefined) return NOTHING;
  const blacklist: number[] = [];
  const remove: number[] = [];
  let stays = 0;
  for (const { position, expiration, blacklistedAt } of expiriesOf(batch)) {
    const isMeant = ids.has(batchedId(batch.metadata.name, position));
    const isOver = isPast(expiration, nowSeconds);
    if (isMeant && isOver) remove.push(position);
    else stays += 1;
    if (isMeant && !isOver && blacklistedAt === undefined) blacklist.push(position);
  }
  const counts = { blacklisted: blacklist.length, deleted: remove.length };
  if (counts.blacklisted + counts.deleted === 0) return NOTHING;
  if (stays === 0) return { kind: 'delete', counts };
  return { kind: 'write', status: changedBatchStatus(batch, { blacklist, remove }, nowSeconds), counts };
};
