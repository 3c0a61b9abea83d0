import { formatTime } from '../../../../operator/api/time.ts';
import type { TokenBatch, TokenBatchStatus } from '../../../../operator/api/token-batch.ts';
import {
  batchNameFrom,
  type CachedTokenBatch,
  cachedTokenBatchOf,
} from '../../../../operator/domain/record/cached-token-batch.ts';
import { BatchDraft, type RecordFields } from '../../../../operator/domain/record/token-batch.ts';
import { BEGIN, CLIENT_UID, recordClient } from './issued-token-fixtures.ts';

export const BATCH = batchNameFrom('5b2f0f0e-8f0a-4d53-9c1a-0d6a7f1c2b3d');

/** What of a record a test chooses; times in seconds since {@link BEGIN}. */
export type ContentTraits = Partial<Omit<RecordFields, 'expiration'>> & { readonly expiresAt?: number };

export const contentWith = ({ expiresAt, ...changes }: ContentTraits = {}): RecordFields => ({
  tokenName: '',
  audience: [],
  scope: [],
  owner: 'alice',
  subject: 'alice',
  issuedAt: BEGIN,
  keyID: 'k',
  originalTokenClaims: undefined,
  ...changes,
  expiration: expiresAt === undefined ? undefined : BEGIN + expiresAt,
});

/** A TokenBatch as the API server would answer it. */
export const storedBatch = (
  contents: readonly ContentTraits[],
  status?: TokenBatchStatus,
  more: { readonly resourceVersion?: string; readonly deleted?: boolean } = {},
): TokenBatch => {
  const draft = new BatchDraft(BATCH, recordClient(CLIENT_UID), 'app');
  for (const content of contents) draft.add(contentWith(content));
  const built = draft.build();
  return {
    ...built,
    metadata: {
      ...built.metadata,
      uid: 'uid-of-batch',
      resourceVersion: more.resourceVersion ?? '1',
      creationTimestamp: formatTime(BEGIN),
      ...(more.deleted && { deletionTimestamp: formatTime(BEGIN) }),
    },
    ...(status && { status }),
  };
};

export const batchWith = (...args: Parameters<typeof storedBatch>): CachedTokenBatch =>
  cachedTokenBatchOf(storedBatch(...args));

export const timeAt = (seconds: number): string => formatTime(BEGIN + seconds);
