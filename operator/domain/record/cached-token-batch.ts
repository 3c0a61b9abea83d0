import { secondsOf } from '../../api/time.ts';
import type { TokenBatch, TokenProfile } from '../../api/token-batch.ts';
import { heldMetadata } from '../held-metadata.ts';
import {
  type CurrentRecord,
  isRestored,
  RECORD_OBJECT_INDEX,
  RESTORED,
  type RecordExpiry,
  type RecordObject,
  type RecordOrigin,
} from './token-record.ts';

/** Where the last octet of a UUID stands in its text form. */
const LAST_OCTET = 34;
/** Where the version stands (RFC 9562 §4.2). */
const VERSION = 14;

/** The name of a new TokenBatch from a random UUID: one of version 8 (RFC 9562 §5.8) whose last octet is 0. */
export const batchNameFrom = (uuid: string): string =>
  `${uuid.slice(0, VERSION)}8${uuid.slice(VERSION + 1, LAST_OCTET)}00`;

/** Whether a `jti` is that of a record in a TokenBatch. */
export const isBatchedId = (id: string): boolean => id.charAt(VERSION) === '8';

/** The name of the TokenBatch that holds the record of a `jti` (spec §2.3). */
export const batchNameOf = (id: string): string => `${id.slice(0, LAST_OCTET)}00`;

/** The position of the record of a `jti` in its TokenBatch; NaN where it is no such id. */
export const positionOf = (id: string): number => Number.parseInt(id.slice(LAST_OCTET), 16);

/** The `jti` of the record at a position, 0 to 255, of a TokenBatch. */
export const batchedId = (batchName: string, position: number): string =>
  batchName.slice(0, LAST_OCTET) + position.toString(16).padStart(2, '0');

/** What caches hold of a TokenBatch: its records as they are stored, each read when it is asked for. */
export interface CachedTokenBatch extends RecordObject {
  readonly clientID: string;
  readonly profiles: readonly TokenProfile[];
  /** By position, see {@link entryText}. */
  readonly tokens: readonly string[];
  readonly originalTokenClaims: Readonly<Record<string, Readonly<Record<string, unknown>>>> | undefined;
  readonly version: number;
  /** When the object was created, in seconds since the Unix epoch. */
  readonly createdAt: number;
  /** By position: when it was blacklisted, RFC 3339. */
  readonly blacklisted: Readonly<Record<string, string>>;
  /** Positions of records that no longer exist for any endpoint. */
  readonly deleted: ReadonlySet<number>;
}

/** A record's own part of what a TokenBatch stores; seconds since the Unix epoch. */
export interface BatchEntry {
  /** Position of its profile. */
  readonly profile: number;
  readonly issuedAt: number;
  /** Undefined where it never expires. */
  readonly expiration: number | undefined;
  readonly name: string;
}

/** Names of the indexes of the cache of {@link CachedTokenBatch}. */
export const BATCH_INDEX = {
  /** By the object's name, whatever its namespace: every `jti` leads to it. */
  name: 'name',
  ...RECORD_OBJECT_INDEX,
} as const;

const NONE: readonly string[] = [];

const distinct = (values: readonly string[]): readonly string[] => [...new Set(values)];

/** The index functions of that cache. */
export const BATCH_INDEXERS: Readonly<Record<string, (batch: CachedTokenBatch) => readonly string[]>> = {
  [BATCH_INDEX.name]: ({ metadata }) => [metadata.name],
  [BATCH_INDEX.owner]: ({ profiles }) => distinct(profiles.map(({ owner }) => owner)),
  [BATCH_INDEX.client]: ({ client }) => [client],
  [BATCH_INDEX.kid]: ({ profiles }) => distinct(profiles.map(({ keyID }) => keyID)),
  [BATCH_INDEX.restored]: (batch) => (hasRestoredRecords(batch) ? RESTORED : NONE),
};

const NO_TIMES: Readonly<Record<string, string>> = {};
const NO_POSITIONS: ReadonlySet<number> = new Set();

/** The records that a TokenBatch holds (spec §2.3). */
export const cachedTokenBatchOf = ({ metadata, spec, status }: TokenBatch): CachedTokenBatch => {
  const { deleted } = status ?? {};
  return {
    metadata: heldMetadata(metadata),
    clientID: spec.clientID,
    client: `${metadata.namespace}/${spec.clientRef.name}`,
    clientUID: spec.clientUID,
    profiles: spec.profiles,
    tokens: spec.tokens,
    originalTokenClaims: spec.originalTokenClaims,
    version: status?.version ?? 0,
    createdAt: secondsOf(metadata.creationTimestamp),
    blacklisted: status?.blacklisted ?? NO_TIMES,
    deleted: deleted === undefined ? NO_POSITIONS : new Set(deleted),
  };
};

/** One record as `spec.tokens` has it: `<profile> <issuedAt> <expiration> <tokenName>`, expiration 0 where there is none. */
export const entryText = ({ profile, issuedAt, expiration, name }: BatchEntry): string => {
  const times = `${profile} ${issuedAt} ${expiration ?? 0}`;
  return name === '' ? times : `${times} ${name}`;
};

/** Reads what {@link entryText} wrote. */
export const readEntry = (text: string): BatchEntry => {
  const first = text.indexOf(' ');
  const second = text.indexOf(' ', first + 1);
  const third = text.indexOf(' ', second + 1);
  const end = third === -1 ? text.length : third;
  const expiration = Number(text.slice(second + 1, end));
  return {
    profile: Number(text.slice(0, first)),
    issuedAt: Number(text.slice(first + 1, second)),
    expiration: expiration === 0 ? undefined : expiration,
    name: text.slice(end + 1),
  };
};

/** When the record at a position was blacklisted, in seconds since the Unix epoch, never 0; undefined where it is not. */
const blacklistedAtPosition = ({ blacklisted }: CachedTokenBatch, position: number): number | undefined => {
  const time = blacklisted[position];
  return time === undefined ? undefined : Math.max(1, secondsOf(time));
};

/** The object that records of a TokenBatch stand in. */
export const batchOriginOf = ({ metadata }: CachedTokenBatch): RecordOrigin => {
  const { namespace, name, uid } = metadata;
  return { kind: 'TokenBatch', namespace, name, uid };
};

/** What is stored at a position, with the profile that it names; undefined where there is none, or it was deleted. */
const storedAt = ({ profiles, tokens, deleted }: CachedTokenBatch, position: number) => {
  const text = tokens[position];
  if (text === undefined || deleted.has(position)) return undefined;
  const entry = readEntry(text);
  const profile = profiles[entry.profile];
  return profile && { entry, profile };
};

/** The record at a position; undefined where there is none, or it was deleted. */
const recordAt = (batch: CachedTokenBatch, position: number): CurrentRecord | undefined => {
  const stored = storedAt(batch, position);
  if (stored === undefined) return undefined;
  const { entry, profile } = stored;
  const { name } = batch.metadata;
  const blacklistedAt = blacklistedAtPosition(batch, position);
  return {
    id: batchedId(name, position),
    origin: batchOriginOf(batch),
    state: 'Current',
    version: blacklistedAt === undefined ? 0 : 1,
    name: entry.name,
    owner: profile.owner,
    subject: profile.subject,
    clientID: batch.clientID,
    client: batch.client,
    clientUID: batch.clientUID,
    keyID: profile.keyID,
    audience: profile.audience ?? NONE,
    scope: profile.scope ?? NONE,
    issuedAt: entry.issuedAt,
    expiration: entry.expiration,
    originalTokenClaims: batch.originalTokenClaims?.[position],
    blacklistedAt,
  };
};

/** The record of a `jti` in the TokenBatch that it leads to; undefined too for one that was created again. */
export const batchedRecordOf = (batch: CachedTokenBatch, id: string): CurrentRecord | undefined => {
  if (batchNameOf(id) !== batch.metadata.name) return undefined;
  const record = recordAt(batch, positionOf(id));
  if (record?.id !== id || isRestored(record.issuedAt, batch.createdAt)) return undefined;
  return record;
};

/** Whether a record of a TokenBatch was created again. The first was issued first. */
export const hasRestoredRecords = ({ tokens: [first], createdAt }: CachedTokenBatch): boolean =>
  first !== undefined && isRestored(readEntry(first).issuedAt, createdAt);

/** The term of a record in a TokenBatch. */
export interface BatchedExpiry extends RecordExpiry {
  readonly position: number;
}

/**
 * The terms of all records of a TokenBatch that were not deleted, in the order of their positions. Whoever decides over the object
 * looks at all of them: the records themselves would take twice as long to make.
 */
export const expiriesOf = (batch: CachedTokenBatch): readonly BatchedExpiry[] => {
  const expiries: BatchedExpiry[] = [];
  for (const position of batch.tokens.keys()) {
    const stored = storedAt(batch, position);
    if (stored === undefined) continue;
    expiries.push({
      position,
      keyID: stored.profile.keyID,
      expiration: stored.entry.expiration,
      blacklistedAt: blacklistedAtPosition(batch, position),
      isRestored: isRestored(stored.entry.issuedAt, batch.createdAt),
    });
  }
  return expiries;
};

/** Ids of an owner's records in a TokenBatch, without reading more of each than whose it is. */
export function* batchedIdsOf({ metadata, profiles, tokens, deleted }: CachedTokenBatch, owner: string) {
  const isOwners = profiles.map((profile) => profile.owner === owner);
  for (const [position, text] of tokens.entries()) {
    if (deleted.has(position) || !isOwners[Number(text.slice(0, text.indexOf(' ')))]) continue;
    yield batchedId(metadata.name, position);
  }
}
