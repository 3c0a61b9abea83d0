import type { CachedIssuedToken } from '../../domain/record/cached-issued-token.ts';
import { type CachedTokenBatch, expiriesOf } from '../../domain/record/cached-token-batch.ts';
import { planIssuedToken } from '../../domain/record/issued-token-plan.ts';
import type { ClientPresence, CollectionSettings, RecordPlan } from '../../domain/record/record-plan.ts';
import { planTokenBatch } from '../../domain/record/token-batch-plan.ts';
import {
  isRevocationRequested,
  type RecordExpiry,
  type RecordObject,
} from '../../domain/record/token-record.ts';
import type { Keyring } from '../../ports/signing.ts';

/** What a plan is made from, besides the object. */
interface PlanSurroundings {
  readonly client: ClientPresence;
  readonly keyPhase: Keyring['phase'];
  readonly settings: CollectionSettings;
  /** Milliseconds since the Unix epoch. */
  readonly now: number;
}

/** A kind of object with records of issued tokens. */
export interface RecordObjectKind<T extends RecordObject> {
  readonly name: 'IssuedToken' | 'TokenBatch';
  plan(object: T, around: PlanSurroundings): RecordPlan;
  /** A requested revocation does not wait behind collection. */
  isUrgent(object: T): boolean;
  /** Of its records that were not deleted. */
  expiries(object: T): readonly RecordExpiry[];
  /** The keys that signed its tokens; one may come twice. */
  kids(object: T): readonly string[];
  /** Objects that are planned before others get their turn: a plan looks at every record. */
  readonly piece: number;
}

/** One record an object (spec §2.2). */
export const ISSUED_TOKEN_KIND: RecordObjectKind<CachedIssuedToken> = {
  name: 'IssuedToken',
  plan: (record, { keyPhase, ...around }) =>
    planIssuedToken({ record, keyPhase: keyPhase(record.keyID), ...around }),
  isUrgent: isRevocationRequested,
  expiries: (record) => [record],
  kids: ({ keyID }) => [keyID],
  piece: 500,
};

/** Many records an object (spec §2.3). */
export const TOKEN_BATCH_KIND: RecordObjectKind<CachedTokenBatch> = {
  name: 'TokenBatch',
  plan: (batch, around) => planTokenBatch({ batch, ...around }),
  isUrgent: () => false,
  expiries: expiriesOf,
  kids: ({ profiles }) => profiles.map(({ keyID }) => keyID),
  // Up to 256 records each: a plan takes up to a quarter of a millisecond.
  piece: 16,
};
