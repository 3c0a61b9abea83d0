import type { KeyPhase } from '../../api/signing-key.ts';
import { floorSeconds, formatTime } from '../../api/time.ts';
import type { TokenBatchStatus } from '../../api/token-batch.ts';
import { type CachedTokenBatch, expiriesOf } from './cached-token-batch.ts';
import {
  type ClientPresence,
  type CollectionSettings,
  type CollectReason,
  type RecordPlan,
  waitFor,
} from './record-plan.ts';
import { isLive, type RecordExpiry } from './token-record.ts';

/** Everything that a plan for a TokenBatch is made from. */
export interface TokenBatchObservation {
  readonly batch: CachedTokenBatch;
  readonly client: ClientPresence;
  /** Of the key with that kid; undefined where none is known. */
  readonly keyPhase: (kid: string) => KeyPhase | 'Compromised' | undefined;
  readonly settings: CollectionSettings;
  /** Milliseconds since the Unix epoch. */
  readonly now: number;
}

/** What changes of a TokenBatch's records: positions. */
export interface BatchChange {
  readonly blacklist: readonly number[];
  readonly remove: readonly number[];
}

/** The whole status of a TokenBatch after a change; nothing in it is ever taken back. */
export const changedBatchStatus = (
  { version, blacklisted, deleted }: CachedTokenBatch,
  { blacklist, remove }: BatchChange,
  nowSeconds: number,
): TokenBatchStatus => {
  const timestamp = formatTime(nowSeconds);
  const times = { ...blacklisted, ...Object.fromEntries(blacklist.map((at) => [at, timestamp])) };
  const gone = [...deleted, ...remove];
  return {
    version: version + 1,
    blacklistedCount: Object.keys(times).length,
    ...(Object.keys(times).length > 0 && { blacklisted: times }),
    ...(gone.length > 0 && { deleted: gone }),
  };
};

/** When a record has no use any more, in milliseconds; undefined where time alone does not bring that about. */
const endOf = (record: RecordExpiry, createdAt: number, settings: CollectionSettings) => {
  const { expiration, isRestored } = record;
  if (expiration !== undefined) return expiration * 1000 + settings.ttlAfterExpiry;
  // Unknown to every endpoint, it is as good as blacklisted.
  const blacklistedAt = record.blacklistedAt ?? (isRestored ? createdAt : undefined);
  return blacklistedAt === undefined ? undefined : blacklistedAt * 1000 + settings.ttlAfterBlacklisted;
};

/** The end of the last of its records; records that never expire are only with each other. */
const lastEndOf = (
  expiries: readonly RecordExpiry[],
  { batch, settings }: Pick<TokenBatchObservation, 'batch' | 'settings'>,
) => {
  let last = 0;
  for (const expiry of expiries) {
    const end = endOf(expiry, batch.createdAt, settings);
    if (end === undefined) return undefined;
    if (end > last) last = end;
  }
  const why: CollectReason = expiries.some(({ expiration }) => expiration === undefined)
    ? 'Blacklisted'
    : 'Expired';
  return { at: last, why };
};

/**
 * Decides over a TokenBatch (spec §2.3): collected whole when the last of its records is past its time; one write blacklists
 * all whose key is compromised (spec §2.5). Pure.
 */
export const planTokenBatch = (observation: TokenBatchObservation): RecordPlan<TokenBatchStatus> => {
  const { batch, client, keyPhase, now } = observation;
  if (batch.metadata.deletionTimestamp !== undefined) return { kind: 'wait', requeueAt: undefined };
  const expiries = expiriesOf(batch);
  const collect = (why: CollectReason) => ({ kind: 'collect', why, records: expiries.length }) as const;
  if (client === 'Gone') return collect('ClientGone');
  const end = lastEndOf(expiries, observation);
  if (end && end.at <= now) return collect(end.why);
  const compromised = expiries.filter(
    (expiry) => isLive(expiry, now) && keyPhase(expiry.keyID) === 'Compromised',
  );
  if (compromised.length > 0) {
    const blacklist = compromised.map(({ position }) => position);
    const kids = [...new Set(compromised.map(({ keyID }) => keyID))];
    const status = changedBatchStatus(batch, { blacklist, remove: [] }, floorSeconds(now));
    return { kind: 'blacklist', cause: 'KeyCompromised', kids, status };
  }
  return waitFor(end?.at, { client, now });
};
