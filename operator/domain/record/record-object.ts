import type { ObjectMeta } from '../../api/meta.ts';

/** What caches hold of an object with one or more records of issued tokens, whatever its kind. */
export interface RecordObject {
  readonly metadata: ObjectMeta;
  /** `<namespace>/<name>` of the OAuthClient. */
  readonly client: string;
  readonly clientUID: string;
}

/** Names of the indexes that the caches of such objects have in common. */
export const RECORD_OBJECT_INDEX = {
  owner: 'owner',
  /** By `<namespace>/<name>` of the OAuthClient. */
  client: 'client',
  /** By the kid of each key that signed a JWT of it. */
  kid: 'kid',
  /** By {@link RESTORED}, if a record of it was created again. */
  restored: 'restored',
} as const;

/** The values under which an object with records that were created again is found. */
export const RESTORED: readonly string[] = ['restored'];

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
