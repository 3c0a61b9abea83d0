import { describe, expect, test } from '@jest/globals';
import { MAX_CLOCK_SKEW_SECONDS } from '../../../../operator/domain/jwt/claims.ts';
import {
  batchedId,
  batchedRecordOf,
  expiriesOf,
  hasRestoredRecords,
} from '../../../../operator/domain/record/cached-token-batch.ts';
import { planIssuedToken } from '../../../../operator/domain/record/issued-token-plan.ts';
import { planTokenBatch } from '../../../../operator/domain/record/token-batch-plan.ts';
import { isRestored, MAX_BACKDATE_SECONDS } from '../../../../operator/domain/record/token-record.ts';
import { BATCH, batchWith, timeAt } from './batch-fixtures.ts';
import { BEGIN, DAY, HOUR, makeRecord, observe, SETTINGS } from './issued-token-fixtures.ts';

const NOW = 1_767_225_600;

describe('a record', () => {
  test.each<[string, number, boolean]>([
    ['was recorded at once', 0, false],
    ['is dated before its token by the API server', -MAX_CLOCK_SKEW_SECONDS, false],
    [
      'is backdated by the most, between clocks that differ by the most',
      MAX_BACKDATE_SECONDS + 2 * MAX_CLOCK_SKEW_SECONDS,
      false,
    ],
    [
      'is later than any replica can have made it',
      MAX_BACKDATE_SECONDS + 2 * MAX_CLOCK_SKEW_SECONDS + 1,
      true,
    ],
    ['has no time of creation, as before it is written', Number.NaN, false],
  ])('that %s', (_name, laterSeconds, wanted) => {
    expect(isRestored(NOW, NOW + laterSeconds)).toBe(wanted);
  });

  test('keeps in the cache whether it was created again, and nothing else if it was not', () => {
    expect(makeRecord({ createdAt: 840 })).not.toHaveProperty('isRestored');
    expect(makeRecord({ createdAt: 841 })).toHaveProperty('isRestored', true);
  });

  test('that was created again is collected by its own time all the same', () => {
    const plan = (at: number) => planIssuedToken(observe({ createdAt: 1000, expiresAt: HOUR }, at));
    expect(plan(2 * HOUR - 1)).toEqual({ kind: 'wait', requeueAt: expect.any(Number) });
    expect(plan(2 * HOUR)).toMatchObject({ kind: 'collect', why: 'Expired' });
  });

  test('that was created again and never expires counts as blacklisted then', () => {
    const plan = (at: number) => planIssuedToken(observe({ createdAt: 1000 }, at));
    expect(plan(1000)).toEqual({ kind: 'wait', requeueAt: (BEGIN + 1000 + 30 * DAY) * 1000 });
    expect(plan(1000 + 30 * DAY)).toEqual({ kind: 'collect', why: 'Blacklisted', records: 1 });
  });

  test('so it does in a batch, which stays for the others that never expire', () => {
    const plan = (...[contents, status]: Parameters<typeof batchWith>) =>
      planTokenBatch({
        batch: batchWith(contents, status),
        client: 'Known',
        keyPhase: () => 'Active',
        settings: SETTINGS,
        now: (BEGIN + 30 * DAY) * 1000,
      });
    const [restored, other] = [{ issuedAt: BEGIN - 841 }, { issuedAt: BEGIN }];
    expect(plan([restored, restored])).toEqual({ kind: 'collect', why: 'Blacklisted', records: 2 });
    expect(plan([restored, other])).toEqual({ kind: 'wait', requeueAt: undefined });
    expect(plan([restored, other], { blacklisted: { 1: timeAt(9) } })).toEqual({
      kind: 'wait',
      requeueAt: (BEGIN + 9 + 30 * DAY) * 1000,
    });
  });
});

test('a batch has records that were created again if its first one is', () => {
  const first = (issuedAt: number) => batchWith([{ issuedAt: BEGIN + issuedAt }, { issuedAt: BEGIN }]);
  expect(hasRestoredRecords(first(-840))).toBe(false);
  expect(hasRestoredRecords(first(-841))).toBe(true);
});

test('each record of a batch counts for itself', () => {
  const batch = batchWith([{ issuedAt: BEGIN - 841 }, { issuedAt: BEGIN - 840 }]);
  expect(batchedRecordOf(batch, batchedId(BATCH, 0))).toBeUndefined();
  expect(batchedRecordOf(batch, batchedId(BATCH, 1))).toMatchObject({ issuedAt: BEGIN - 840 });
  expect(expiriesOf(batch)).toHaveLength(2);
});
