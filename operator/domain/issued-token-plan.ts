import type { KeyPhase } from '../api/signing-key.ts';
import type { IssuedRecord } from './issued-record.ts';
import { isDerivedId, REPLAY_WINDOW_SECONDS } from './issued-token.ts';
import { floorSeconds, formatTime, secondsOf } from './timestamps.ts';
import { isRevocationAsked } from './token-record.ts';

/** How long records stay, in milliseconds (contract §6, `garbageCollection`). */
export interface CollectionSettings {
  readonly ttlAfterExpiry: number;
  /** Of those that never expire. */
  readonly ttlAfterBlacklisted: number;
}

/**
 * What is known of the client that a record names by its UID:
 * - `Known`: the cache has it.
 * - `Missing`: the cache has none of that UID. Watches of two kinds are not ordered with each other: it may not have come yet.
 * - `Ahead`: the API server has it, the cache does not yet.
 * - `Gone`: a read of the API server, begun after the record was seen, did not find it. It was there when the record was
 *   made, and no UID comes back.
 */
export type RecordClient = 'Known' | 'Missing' | 'Ahead' | 'Gone';

/** Everything that a plan for a handed-out token's record is made from. */
export interface IssuedTokenObservation {
  readonly record: IssuedRecord;
  readonly client: RecordClient;
  /** Of the key that signed the JWT; undefined where no key is known by its kid. */
  readonly keyPhase: KeyPhase | 'Compromised' | undefined;
  readonly settings: CollectionSettings;
  /** Milliseconds since the Unix epoch. */
  readonly now: number;
}

/** Why a record is collected; also the label `why` of its metric. */
export const COLLECT_REASONS = ['Expired', 'Blacklisted', 'ClientGone'] as const;
export type CollectReason = (typeof COLLECT_REASONS)[number];

/** The whole status of a blacklisted IssuedToken, and what of a Token's changes. */
export interface BlacklistedStatus {
  readonly version: number;
  readonly blacklisted: { readonly flag: true; readonly timestamp: string };
}

/** What to do with a record. */
export type IssuedTokenPlan =
  /** Nothing, until something or the time changes; milliseconds since the Unix epoch. */
  | { readonly kind: 'wait'; readonly requeueAt: number | undefined }
  /** To read its client from the API server, and to plan again. */
  | { readonly kind: 'ask' }
  | {
      readonly kind: 'blacklist';
      readonly cause: 'Revoked' | 'KeyCompromised';
      readonly status: BlacklistedStatus;
    }
  | { readonly kind: 'collect'; readonly why: CollectReason };

/** How soon to look again at a record whose client the cache does not know yet: it may go before its watch ever tells of it. */
const AHEAD_WAIT_MS = 60_000;

/**
 * Until when a record keeps a client's own assertion from being used again, in seconds since the Unix epoch; 0 where there
 * was none. Its `iat` may be backdated, so that the time of its creation counts too.
 */
export const replayableUntil = ({ id, issuedAt, metadata }: IssuedRecord): number => {
  if (!isDerivedId(id)) return 0;
  return Math.max(issuedAt, secondsOf(metadata.creationTimestamp)) + REPLAY_WINDOW_SECONDS;
};

interface End {
  readonly why: CollectReason;
  readonly at: number;
}

/** When and why a record has no use any more; undefined where time alone does not bring that about. */
const endOf = ({ record, client, settings }: IssuedTokenObservation): End | undefined => {
  const { expiration, blacklistedAt } = record;
  const held = replayableUntil(record) * 1000;
  const end = (why: CollectReason, at: number): End => ({ why, at: Math.max(at, held) });
  if (client === 'Gone') return end('ClientGone', 0);
  if (expiration !== undefined) return end('Expired', expiration * 1000 + settings.ttlAfterExpiry);
  if (blacklistedAt === undefined || isRevocationAsked(record)) return undefined;
  return end('Blacklisted', blacklistedAt * 1000 + settings.ttlAfterBlacklisted);
};

/** Why a record's status has to say that it is blacklisted; undefined where it says so, or has no need to. */
const blacklistCauseOf = ({ record, client, keyPhase, now }: IssuedTokenObservation) => {
  if (isRevocationAsked(record)) return 'Revoked';
  const isOver = record.expiration !== undefined && record.expiration * 1000 <= now;
  if (record.blacklistedAt !== undefined || isOver || client === 'Gone') return undefined;
  return keyPhase === 'Compromised' ? 'KeyCompromised' : undefined;
};

/** The status by which a record becomes blacklisted; seconds since the Unix epoch. */
export const blacklistedStatus = (version: number, nowSeconds: number): BlacklistedStatus => ({
  version: version + 1,
  blacklisted: { flag: true, timestamp: formatTime(nowSeconds) },
});

const earliest = (...times: (number | undefined)[]): number | undefined => {
  const known = times.filter((time) => time !== undefined);
  return known.length === 0 ? undefined : Math.min(...known);
};

/**
 * Decides over the record of a handed-out token (contract §2.2): collect what is past its time, write down a revocation
 * that was asked for, and that of every token whose key is compromised (§2.5). Pure. A kid that is merely unknown is refused by
 * the doors while it is, and may come back with its SigningKey's status: nothing is written for it.
 */
export const planIssuedToken = (observation: IssuedTokenObservation): IssuedTokenPlan => {
  const { record, client, now } = observation;
  // Somebody's finalizer holds what is deleted already; doors refuse it.
  if (record.metadata.deletionTimestamp !== undefined) return { kind: 'wait', requeueAt: undefined };
  const end = endOf(observation);
  if (end && end.at <= now) return { kind: 'collect', why: end.why };
  const cause = blacklistCauseOf(observation);
  if (cause)
    return { kind: 'blacklist', cause, status: blacklistedStatus(record.version, floorSeconds(now)) };
  if (client === 'Missing') return { kind: 'ask' };
  return { kind: 'wait', requeueAt: earliest(end?.at, client === 'Ahead' ? now + AHEAD_WAIT_MS : undefined) };
};
