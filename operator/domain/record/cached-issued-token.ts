import type { IssuedToken } from '../../api/issued-token.ts';
import { secondsOf } from '../../api/time.ts';
import { heldMetadata, sharedList, sharedText } from '../held-metadata.ts';
import { RECORD_OBJECT_INDEX, RESTORED, type RecordObject } from './record-object.ts';
import { blacklistedAtOf, type CurrentRecord, isRestored } from './token-record.ts';

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

/** The record that an IssuedToken is (spec §2.2). */
export const cachedIssuedTokenOf = (object: IssuedToken): CachedIssuedToken => {
  const { spec, status } = object;
  const metadata = heldMetadata(object.metadata);
  const { name, namespace, uid } = metadata;
  const { expiration, originalTokenClaims } = spec;
  return {
    metadata,
    id: name,
    origin: { kind: 'IssuedToken', namespace, name, uid },
    state: 'Current',
    version: status?.version ?? 0,
    name: spec.tokenName ?? '',
    owner: sharedText(spec.owner),
    subject: sharedText(spec.subject),
    clientID: sharedText(spec.clientID),
    client: sharedText(`${namespace}/${spec.clientRef.name}`),
    clientUID: sharedText(spec.clientUID),
    keyID: sharedText(spec.keyID),
    audience: sharedList(spec.audience ?? NONE),
    scope: sharedList(spec.scope ?? NONE),
    issuedAt: secondsOf(spec.issuedAt),
    expiration: expiration === undefined ? undefined : secondsOf(expiration),
    originalTokenClaims,
    blacklistedAt: blacklistedAtOf(object),
    ...(isRestored(secondsOf(spec.issuedAt), secondsOf(metadata.creationTimestamp)) && { isRestored: true }),
  };
};
