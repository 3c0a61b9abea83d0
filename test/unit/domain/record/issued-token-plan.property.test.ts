import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { secondsOf } from '../../../../operator/api/time.ts';
import type { CachedIssuedToken } from '../../../../operator/domain/record/cached-issued-token.ts';
import {
  type BlacklistedStatus,
  type IssuedTokenObservation,
  planIssuedToken,
  replayableUntil,
} from '../../../../operator/domain/record/issued-token-plan.ts';
import type { RecordPlan } from '../../../../operator/domain/record/record-plan.ts';
import { DERIVED_ID, makeRecord, observe, RANDOM_ID, type RecordTraits } from './issued-token-fixtures.ts';

const seconds = fc.integer({ min: -1000, max: 4_000_000 });
const maybe = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined });

const traits: fc.Arbitrary<RecordTraits> = fc.record({
  id: fc.constantFrom(RANDOM_ID, DERIVED_ID),
  issuedAt: fc.integer({ min: -1200, max: 30 }),
  createdAt: fc.integer({ min: 0, max: 5 }),
  expiresAt: maybe(fc.integer({ min: 1, max: 3_000_000 })),
  blacklistedAt: maybe(seconds),
  revoked: fc.boolean(),
  version: fc.nat(5),
  deleted: fc.boolean(),
});

const rest = fc.record({
  client: fc.constantFrom('Known', 'Missing', 'Ahead', 'Gone'),
  keyPhase: fc.constantFrom('Published', 'Active', 'Retired', 'Compromised', undefined),
  settings: fc.record({
    ttlAfterExpiry: fc.constantFrom(0, 60_000, 3_600_000),
    ttlAfterBlacklisted: fc.constantFrom(0, 60_000, 2_592_000_000),
  }),
});

const observations = fc
  .tuple(traits, seconds, rest)
  .map(([record, at, more]) => observe(record, at, more as Partial<IssuedTokenObservation>));

/** The record as the API server has it once a plan's status is written; undefined once it is collected. */
type IssuedTokenPlan = RecordPlan<BlacklistedStatus>;

const applied = (record: CachedIssuedToken, plan: IssuedTokenPlan): CachedIssuedToken | undefined => {
  if (plan.kind === 'collect') return undefined;
  if (plan.kind !== 'blacklist') return record;
  const { version, blacklisted } = plan.status;
  return { ...record, version, blacklistedAt: secondsOf(blacklisted.timestamp) };
};

const check = (property: (observation: IssuedTokenObservation, plan: IssuedTokenPlan) => void): void => {
  fc.assert(
    fc.property(observations, (observation) => property(observation, planIssuedToken(observation))),
    { numRuns: 5000 },
  );
};

describe('whatever is known of a record', () => {
  test('doing it again changes nothing', () => {
    check((observation, plan) => {
      const record = applied(observation.record, plan);
      if (record === undefined || plan.kind === 'ask') return;
      const again = planIssuedToken({ ...observation, record });
      expect(again.kind).not.toBe('blacklist');
      if (plan.kind === 'wait') expect(again).toEqual(plan);
    });
  });

  test('no record of a valid token whose client is not gone is collected', () => {
    check(({ record, client, now }, plan) => {
      const isOver = record.expiration !== undefined && record.expiration * 1000 <= now;
      if (client === 'Gone' || isOver || record.blacklistedAt !== undefined || record.isRestored) return;
      expect(plan.kind).not.toBe('collect');
    });
  });

  test('a blacklisting raises the version by one, and is written once', () => {
    check(({ record }, plan) => {
      if (plan.kind !== 'blacklist') return;
      expect(plan.status.version).toBe(record.version + 1);
      expect(plan.status.blacklisted.flag).toBe(true);
      expect(record.blacklistedAt ?? 0).toBe(0);
    });
  });

  test('no record goes while it keeps an assertion from being used again', () => {
    check(({ record, now }, plan) => {
      if (now < replayableUntil(record) * 1000) expect(plan.kind).not.toBe('collect');
    });
  });

  test('what is waited for is ahead, and something is to be done by then', () => {
    check((observation, plan) => {
      if (plan.kind !== 'wait' || plan.requeueAt === undefined) return;
      expect(plan.requeueAt).toBeGreaterThan(observation.now);
      if (observation.client === 'Ahead') return;
      const later = planIssuedToken({ ...observation, now: plan.requeueAt });
      expect(later.kind).toBe('collect');
    });
  });

  test('what the API server was asked leaves nothing to be asked', () => {
    check((observation, plan) => {
      if (plan.kind !== 'ask') return;
      for (const client of ['Gone', 'Ahead'] as const) {
        expect(planIssuedToken({ ...observation, client }).kind).not.toBe('ask');
      }
    });
  });
});

test('a record is what the random state says', () => {
  expect(makeRecord({ revoked: true }).blacklistedAt).toBe(0);
  expect(makeRecord().blacklistedAt).toBeUndefined();
});
