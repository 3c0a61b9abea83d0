import type { IssuedToken } from '../../../../operator/api/issued-token.ts';
import type { OAuthClient } from '../../../../operator/api/oauth-client.ts';
import { formatTime } from '../../../../operator/api/time.ts';
import type { CachedIssuedToken } from '../../../../operator/domain/record/cached-issued-token.ts';
import { buildIssuedToken, cachedIssuedTokenOf } from '../../../../operator/domain/record/issued-token.ts';
import type { IssuedTokenObservation } from '../../../../operator/domain/record/issued-token-plan.ts';

/** When everything here begins: 2026-01-01T00:00:00Z, in seconds since the Unix epoch. */
export const BEGIN = Date.UTC(2026, 0, 1) / 1000;
export const HOUR = 3600;
export const DAY = 24 * HOUR;

export const RANDOM_ID = '5b2f0f0e-8f0a-4d53-9c1a-0d6a7f1c2b3d';
/** Of version 5: derived from a client's own assertion. */
export const DERIVED_ID = '0b0e7d3a-5c1f-5f0e-9d2b-7c6a5b4c3d2e';

/** What of a record a test chooses; times in seconds since {@link BEGIN}. */
export interface RecordTraits {
  readonly id?: string;
  readonly issuedAt?: number;
  readonly createdAt?: number;
  readonly expiresAt?: number | undefined;
  readonly blacklistedAt?: number | undefined;
  readonly revoked?: boolean;
  readonly version?: number;
  readonly deleted?: boolean;
  readonly keyID?: string;
  readonly clientUID?: string;
  readonly resourceVersion?: string;
}

export const CLIENT_UID = '5d9b9e86-0a4e-4c0c-9d0a-3f6f9f0f6a01';

export const recordClient = (uid = CLIENT_UID, name = 'app'): OAuthClient => ({
  apiVersion: 'm2moauth.dev/v1alpha1',
  kind: 'OAuthClient',
  metadata: { name, namespace: 'n', uid, resourceVersion: '1', creationTimestamp: formatTime(BEGIN) },
  spec: { owner: 'alice' } as OAuthClient['spec'],
});

const build = (traits: RecordTraits) => {
  const { id = RANDOM_ID, issuedAt = 0, createdAt = 0, expiresAt, keyID = 'k', clientUID } = traits;
  const built = buildIssuedToken({
    id,
    client: recordClient(clientUID),
    clientID: 'app',
    tokenName: '',
    audience: [],
    scope: [],
    owner: 'alice',
    subject: 'alice',
    issuedAt: BEGIN + issuedAt,
    expiration: expiresAt === undefined ? undefined : BEGIN + expiresAt,
    keyID,
    originalTokenClaims: undefined,
  });
  const metadata = {
    ...built.metadata,
    uid: `uid-of-${id}`,
    resourceVersion: traits.resourceVersion ?? '1',
    creationTimestamp: formatTime(BEGIN + createdAt),
    ...(traits.deleted && { deletionTimestamp: formatTime(BEGIN) }),
  };
  return { ...built, metadata };
};

/** An IssuedToken as the API server would answer it. */
const makeStored = (traits: RecordTraits = {}): IssuedToken => {
  const { blacklistedAt, revoked, version } = traits;
  const object = build(traits);
  const blacklisted =
    blacklistedAt === undefined
      ? {}
      : { blacklisted: { flag: true, timestamp: formatTime(BEGIN + blacklistedAt) } };
  const status = { ...(version !== undefined && { version }), ...blacklisted };
  return {
    ...object,
    spec: { ...object.spec, ...(revoked && { revoked }) },
    ...(Object.keys(status).length > 0 && { status }),
  };
};

/** The record of an IssuedToken as a cache holds it. */
export const makeRecord = (traits: RecordTraits = {}): CachedIssuedToken =>
  cachedIssuedTokenOf(makeStored(traits));

/** A record is expired for 1 h, or blacklisted for 30 days, before it is collected. */
export const SETTINGS = { ttlAfterExpiry: HOUR * 1000, ttlAfterBlacklisted: 30 * DAY * 1000 };

/** An observation of a record, `at` seconds after {@link BEGIN}. */
export const observe = (
  traits: RecordTraits,
  at: number,
  rest: Partial<IssuedTokenObservation> = {},
): IssuedTokenObservation => ({
  record: makeRecord(traits),
  client: 'Known',
  keyPhase: 'Active',
  settings: SETTINGS,
  now: (BEGIN + at) * 1000,
  ...rest,
});
