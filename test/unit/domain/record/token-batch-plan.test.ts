import { describe, expect, test } from '@jest/globals';
import { batchedId } from '../../../../operator/domain/record/cached-token-batch.ts';
import type { ClientPresence } from '../../../../operator/domain/record/record-plan.ts';
import { planBatchRevocation } from '../../../../operator/domain/record/revocation-plan.ts';
import { planTokenBatch } from '../../../../operator/domain/record/token-batch-plan.ts';
import { BATCH, batchWith, timeAt } from './batch-fixtures.ts';
import { BEGIN, DAY, HOUR, SETTINGS } from './issued-token-fixtures.ts';

type Batch = Parameters<typeof batchWith>;

const planAt = (
  at: number,
  batch: Batch,
  { client = 'Known' as ClientPresence, compromised = [] as readonly string[] } = {},
) =>
  planTokenBatch({
    batch: batchWith(...batch),
    client,
    keyPhase: (kid) => (compromised.includes(kid) ? 'Compromised' : 'Active'),
    settings: SETTINGS,
    now: (BEGIN + at) * 1000,
  });

const THREE = [{ expiresAt: 60 }, { expiresAt: 90, keyID: 'other' }, { expiresAt: 80 }];
const at = (seconds: number): number => (BEGIN + seconds) * 1000;

describe('a batch is collected', () => {
  test('when its last record is past its time, and not before', () => {
    expect(planAt(0, [THREE])).toEqual({ kind: 'wait', requeueAt: at(90 + HOUR) });
    expect(planAt(89 + HOUR, [THREE])).toMatchObject({ kind: 'wait' });
    expect(planAt(90 + HOUR, [THREE])).toEqual({ kind: 'collect', why: 'Expired', records: 3 });
  });

  test('without waiting for what was deleted', () => {
    expect(planAt(80 + HOUR, [THREE, { deleted: [1] }])).toMatchObject({ kind: 'collect', records: 2 });
    expect(planAt(0, [THREE, { deleted: [0, 1, 2] }])).toMatchObject({ kind: 'collect', records: 0 });
  });

  test('where its records never expire: when all are blacklisted, and the last has been for long', () => {
    const two = [{}, {}];
    expect(planAt(0, [two])).toEqual({ kind: 'wait', requeueAt: undefined });
    expect(planAt(99 * DAY, [two, { blacklisted: { 0: timeAt(0) } }])).toMatchObject({ kind: 'wait' });
    const all = { blacklisted: { 0: timeAt(0), 1: timeAt(DAY) } };
    expect(planAt(DAY, [two, all])).toEqual({ kind: 'wait', requeueAt: at(31 * DAY) });
    expect(planAt(31 * DAY, [two, all])).toEqual({ kind: 'collect', why: 'Blacklisted', records: 2 });
  });

  test('with its client', () => {
    const gone = { kind: 'collect', why: 'ClientGone', records: 2 };
    expect(planAt(0, [THREE, { deleted: [1] }], { client: 'Gone' })).toEqual(gone);
    expect(planAt(0, [THREE], { client: 'Missing' })).toEqual({ kind: 'ask' });
    expect(planAt(0, [THREE], { client: 'Ahead' })).toEqual({ kind: 'wait', requeueAt: at(60) });
  });

  test('by no request while it is being deleted', () => {
    expect(planAt(99 * DAY, [THREE, undefined, { deleted: true }])).toEqual({
      kind: 'wait',
      requeueAt: undefined,
    });
  });
});

describe('a compromised key', () => {
  test('blacklists what it signed in one write, and leaves alone what needs nothing', () => {
    const status = { version: 1, blacklisted: { 0: timeAt(1) }, deleted: [2] };
    const four = [...THREE, { expiresAt: 50 }, { expiresAt: 10 }];
    expect(planAt(20, [four, status], { compromised: ['k'] })).toEqual({
      kind: 'blacklist',
      cause: 'KeyCompromised',
      kids: ['k'],
      status: {
        version: 2,
        blacklisted: { 0: timeAt(1), 3: timeAt(20) },
        blacklistedCount: 2,
        deleted: [2],
      },
    });
  });

  test('that signed nothing more is no cause', () => {
    expect(planAt(0, [THREE, { blacklisted: { 1: timeAt(1) } }], { compromised: ['other'] }).kind).toBe(
      'wait',
    );
  });
});

describe('the end of some records', () => {
  const end = (positions: readonly number[], now: number, batch: Batch) =>
    planBatchRevocation(
      batchWith(...batch),
      new Set(positions.map((position) => batchedId(BATCH, position))),
      BEGIN + now,
    );

  test('blacklists live ones and deletes expired ones in one write', () => {
    expect(end([0, 1], 70, [THREE, { version: 4 }])).toEqual({
      kind: 'write',
      counts: { blacklisted: 1, deleted: 1 },
      status: { version: 5, blacklisted: { 1: timeAt(70) }, blacklistedCount: 1, deleted: [0] },
    });
  });

  test('counts nothing that was blacklisted or deleted before', () => {
    expect(end([1, 2], 70, [THREE, { blacklisted: { 1: timeAt(5) }, deleted: [2] }])).toEqual({
      kind: 'nothing',
    });
  });

  test('deletes what was blacklisted and has expired', () => {
    expect(end([1], 95, [THREE, { blacklisted: { 1: timeAt(5) } }])).toMatchObject({
      counts: { blacklisted: 0, deleted: 1 },
      status: { blacklisted: { 1: timeAt(5) }, deleted: [1] },
    });
  });

  test('takes the object with the last of its records', () => {
    expect(end([0, 1], 95, [THREE, { deleted: [2] }])).toEqual({
      kind: 'delete',
      counts: { blacklisted: 0, deleted: 2 },
    });
  });

  test('is nothing for ids that it has not, and while it is being deleted', () => {
    expect(end([7], 0, [THREE])).toEqual({ kind: 'nothing' });
    expect(end([0], 0, [THREE, undefined, { deleted: true }])).toEqual({ kind: 'nothing' });
  });
});
