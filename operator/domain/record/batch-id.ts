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
