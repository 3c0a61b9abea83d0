import { type CurrentRecord, RECORD_OBJECT_INDEX, RESTORED, type RecordObject } from './token-record.ts';

/** What caches hold of an IssuedToken: the record alone, times as numbers, without what the API server adds. */
export interface CachedIssuedToken extends CurrentRecord, RecordObject {
  /** True if it was created again: no endpoint knows it. Absent otherwise. */
  readonly isRestored?: true;
}

/** Names of the indexes of the cache of {@link CachedIssuedToken}. */
export const ISSUED_INDEX = {
  /** By the `jti`, whatever its namespace. */
  id: 'id',
  ...RECORD_OBJECT_INDEX,
} as const;

const NONE: readonly string[] = [];

/** The index functions of that cache. */
export const ISSUED_INDEXERS: Readonly<Record<string, (record: CachedIssuedToken) => readonly string[]>> = {
  [ISSUED_INDEX.id]: ({ id }) => [id],
  [ISSUED_INDEX.owner]: ({ owner }) => [owner],
  [ISSUED_INDEX.client]: ({ client }) => [client],
  [ISSUED_INDEX.kid]: ({ keyID }) => [keyID],
  [ISSUED_INDEX.restored]: ({ isRestored }) => (isRestored ? RESTORED : NONE),
};
