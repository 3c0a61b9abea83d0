import type { KeyPhase } from '../../api/signing-key.ts';
import { floorSeconds, formatTime, secondsOf } from '../../api/time.ts';
import type { CachedIssuedToken } from './cached-issued-token.ts';
import { isDerivedId, REPLAY_WINDOW_SECONDS } from './issued-token.ts';
import {
  type ClientPresence,
  type CollectionSettings,
  type CollectReason,
  type RecordPlan,
  waitFor,
} from './record-plan.ts';
import { isLive, isRevocationRequested } from './token-record.ts';

/** What the plan for an IssuedToken is made from. */
export interface IssuedTokenObservation {
  readonly record: CachedIssuedToken;
  readonly client: ClientPresence;
  /** Of the key that signed the JWT; undefined where no key is known by its kid. */
  readonly keyPhase: KeyPhase | 'Compromised' | undefined;
  readonly settings: CollectionSettings;
  /** Milliseconds since the Unix epoch. */
  readonly now: number;
}

/** The whole status of a blacklisted IssuedToken, and what of a Token's changes. */
export interface BlacklistedStatus {
  readonly version: number;
  readonly blacklisted: { readonly flag: true; readonly timestamp: string };
}

/**
 * Until when a record keeps a client's own assertion from being used again, in seconds since the Unix epoch; 0 where there
 * was none. Its `iat` may be backdated, so that the time of its creation counts too.
 */
export const replayableUntil = ({ id, issuedAt, metadata }: CachedIssuedToken): number => {
  if (!isDerivedId(id)) return 0;
  return Math.max(issuedAt, secondsOf(metadata.creationTimestamp)) + REPLAY_WINDOW_SECONDS;
};

interface End {
  readonly why: CollectReason;
  readonly at: number;
}

/** When and why a record has no use any more; undefined where time alone does not bring that about. */
const endOf = ({ record, client, settings }: IssuedTokenObservation): End | undefined => {
  const { expiration, metadata, isRestored } = record;
  const held = replayableUntil(record) * 1000;
  const end = (why: CollectReason, at: number): End => ({ why, at: Math.max(at, held) });
  if (client === 'Gone') return end('ClientGone', 0);
  if (expiration !== undefined) return end('Expired', expiration * 1000 + settings.ttlAfterExpiry);
  // Unknown to every endpoint, it is as good as blacklisted.
  const blacklistedAt = record.blacklistedAt ?? (isRestored && secondsOf(metadata.creationTimestamp));
  if (blacklistedAt === undefined || isRevocationRequested(record)) return undefined;
  return end('Blacklisted', blacklistedAt * 1000 + settings.ttlAfterBlacklisted);
};

/** Why a record's status has to say that it is blacklisted; undefined where it says so, or has no need to. */
const blacklistCauseOf = ({ record, client, keyPhase, now }: IssuedTokenObservation) => {
  if (isRevocationRequested(record)) return 'Revoked';
  if (client === 'Gone' || !isLive(record, now)) return undefined;
  return keyPhase === 'Compromised' ? 'KeyCompromised' : undefined;
};

/** The status by which a record becomes blacklisted; seconds since the Unix epoch. */
export const blacklistedStatus = (version: number, nowSeconds: number): BlacklistedStatus => ({
  version: version + 1,
  blacklisted: { flag: true, timestamp: formatTime(nowSeconds) },
});

/**
 * Plans the record of an issued token (spec §2.2): collect it after its time to live, record a requested revocation, and that of
 * every token whose key is compromised (spec §2.5). Pure. The endpoints reject a kid that is merely unknown; it may come back with
 * the status of its SigningKey, so nothing is written for it.
 */
export const planIssuedToken = (observation: IssuedTokenObservation): RecordPlan<BlacklistedStatus> => {
  const { record, client, now } = observation;
  // A finalizer keeps the deleted object; endpoints reject its token.
  if (record.metadata.deletionTimestamp !== undefined) return { kind: 'wait', requeueAt: undefined };
  const end = endOf(observation);
  if (end && end.at <= now) return { kind: 'collect', why: end.why, records: 1 };
  const cause = blacklistCauseOf(observation);
  if (cause) {
    const status = blacklistedStatus(record.version, floorSeconds(now));
    return { kind: 'blacklist', cause, kids: [record.keyID], status };
  }
  return waitFor(end?.at, { client, now });
};
