import { describe, expect, test } from '@jest/globals';
import { REPLAY_WINDOW_SECONDS } from '../../../../operator/domain/record/issued-token.ts';
import {
  type IssuedTokenObservation,
  planIssuedToken,
} from '../../../../operator/domain/record/issued-token-plan.ts';
import type { RecordPlan } from '../../../../operator/domain/record/record-plan.ts';
import { BEGIN, DAY, DERIVED_ID, HOUR, observe, type RecordTraits } from './issued-token-fixtures.ts';

type Rest = Partial<IssuedTokenObservation>;
type Row = readonly [name: string, traits: RecordTraits, at: number, rest?: Rest];

/** Times of a plan as seconds since {@link BEGIN}. */
const planOf = (traits: RecordTraits, at: number, rest: Rest = {}): RecordPlan => {
  const plan = planIssuedToken(observe(traits, at, rest));
  if (plan.kind !== 'wait' || plan.requeueAt === undefined) return plan;
  return { kind: 'wait', requeueAt: plan.requeueAt / 1000 - BEGIN };
};

describe('waits', () => {
  test.each<readonly [...Row, until: number | undefined]>([
    ['while the token is valid', { expiresAt: HOUR }, 0, {}, 2 * HOUR],
    ['for ever where it never expires', {}, 1000 * DAY, {}, undefined],
    ['to the last moment after it expired', { expiresAt: HOUR }, 2 * HOUR - 0.001, {}, 2 * HOUR],
    ['for its expiry though it is blacklisted', { expiresAt: HOUR, blacklistedAt: 5 }, 9, {}, 2 * HOUR],
    ['where it is blacklisted and never expires', { blacklistedAt: 5 }, 9, {}, 30 * DAY + 5],
    ['where its key is unknown', { expiresAt: HOUR }, 0, { keyPhase: undefined }, 2 * HOUR],
    ['where its key is retired', { expiresAt: HOUR }, 0, { keyPhase: 'Retired' }, 2 * HOUR],
    [
      'where its key is compromised and it has expired',
      { expiresAt: 5 },
      5,
      { keyPhase: 'Compromised' },
      HOUR + 5,
    ],
    [
      'where its key is compromised and it is blacklisted',
      { blacklistedAt: 1 },
      5,
      { keyPhase: 'Compromised' },
      30 * DAY + 1,
    ],
    ['a minute where the cache is behind on its client', { expiresAt: HOUR }, 3, { client: 'Ahead' }, 63],
    ['no minute where it is due before', { expiresAt: 0, issuedAt: -9 }, HOUR - 3, { client: 'Ahead' }, HOUR],
    ['where a finalizer holds what is deleted', { deleted: true, expiresAt: 1 }, DAY, {}, undefined],
    [
      'where a finalizer holds what is deleted, though its revocation is asked for',
      { deleted: true, revoked: true },
      DAY,
      { client: 'Gone', keyPhase: 'Compromised' },
      undefined,
    ],
  ])('%s', (_, traits, at, rest, until) => {
    expect(planOf(traits, at, rest)).toEqual({ kind: 'wait', requeueAt: until });
  });
});

describe('blacklists', () => {
  test.each<readonly [...Row, cause: string, version: number]>([
    ['what its spec asks to revoke', { revoked: true, expiresAt: HOUR }, 7, {}, 'Revoked', 1],
    ['it though it has expired', { revoked: true, expiresAt: 1 }, 7, {}, 'Revoked', 1],
    ['it though its client is missing', { revoked: true }, 7, { client: 'Missing' }, 'Revoked', 1],
    ['a record that was written before', { revoked: true, version: 4 }, 7, {}, 'Revoked', 5],
    ['what a compromised key has signed', {}, 7, { keyPhase: 'Compromised' }, 'KeyCompromised', 1],
    ['it until the last moment', { expiresAt: 8 }, 7.999, { keyPhase: 'Compromised' }, 'KeyCompromised', 1],
  ])('%s', (_, traits, at, rest, cause, version) => {
    const timestamp = '2026-01-01T00:00:07Z';
    const status = { version, blacklisted: { flag: true, timestamp } };
    expect(planOf(traits, at, rest)).toEqual({ kind: 'blacklist', cause, kids: ['k'], status });
  });
});

describe('collects', () => {
  test.each<readonly [...Row, why: string]>([
    ['an expired record after its time', { expiresAt: HOUR }, 2 * HOUR, {}, 'Expired'],
    ['one that is blacklisted too', { expiresAt: HOUR, blacklistedAt: 1 }, 2 * HOUR, {}, 'Expired'],
    ['one whose revocation is asked for', { expiresAt: HOUR, revoked: true }, 2 * HOUR, {}, 'Expired'],
    ['one whose client is missing, without asking', { expiresAt: 1 }, DAY, { client: 'Missing' }, 'Expired'],
    ['a blacklisted one that never expires', { blacklistedAt: 5 }, 30 * DAY + 5, {}, 'Blacklisted'],
    ['a valid one whose client is gone', { expiresAt: HOUR }, 0, { client: 'Gone' }, 'ClientGone'],
    ['one whose client is gone and revoked', { revoked: true }, 0, { client: 'Gone' }, 'ClientGone'],
    [
      'one whose client is gone and whose key is compromised',
      {},
      0,
      { client: 'Gone', keyPhase: 'Compromised' },
      'ClientGone',
    ],
    [
      'an expired one at once where the configuration says so',
      { expiresAt: 5 },
      5,
      { settings: { ttlAfterExpiry: 0, ttlAfterBlacklisted: 0 } },
      'Expired',
    ],
  ])('%s', (_, traits, at, rest, why) => {
    expect(planOf(traits, at, rest)).toEqual({ kind: 'collect', why, records: 1 });
  });
});

test.each<Row>([
  ['a valid record', { expiresAt: HOUR }, 0],
  ['one that never expires', {}, 0],
  ['one that is blacklisted', { blacklistedAt: 0, expiresAt: HOUR }, 0],
])('asks for the client of %s where the cache does not know it', (_, traits, at) => {
  expect(planOf(traits, at, { client: 'Missing' })).toEqual({ kind: 'ask' });
});

describe('the record of a token that was asked for with the client’s own assertion', () => {
  const window = REPLAY_WINDOW_SECONDS;
  const atOnce: Rest = { settings: { ttlAfterExpiry: 0, ttlAfterBlacklisted: 0 } };

  test.each<readonly [...Row, until: number]>([
    ['though it has expired', { expiresAt: 5 }, 5, atOnce, window],
    ['though its client is gone', { expiresAt: HOUR }, 5, { client: 'Gone' }, window],
    ['though it is blacklisted', { blacklistedAt: 1 }, 5, atOnce, window],
    [
      'counted from its creation where its iat is backdated',
      { issuedAt: -600, expiresAt: 5 },
      5,
      atOnce,
      window,
    ],
    ['counted from its iat where that is later', { createdAt: -9, expiresAt: 5 }, 5, atOnce, window],
  ])('stays while the assertion can be replayed, %s', (_, traits, at, rest, until) => {
    const derived = { ...traits, id: DERIVED_ID };
    expect(planOf(derived, at, rest)).toEqual({ kind: 'wait', requeueAt: until });
    expect(planOf(derived, until - 0.001, rest).kind).toBe('wait');
    expect(planOf(derived, until, rest).kind).toBe('collect');
  });

  test('is blacklisted meanwhile where that is asked for, though its client is gone', () => {
    const plan = planOf({ id: DERIVED_ID, revoked: true }, 5, { client: 'Gone' });
    expect(plan).toMatchObject({ kind: 'blacklist', cause: 'Revoked' });
  });

  test('is collected by its own time where that is later', () => {
    expect(planOf({ id: DERIVED_ID, expiresAt: HOUR }, 0)).toEqual({ kind: 'wait', requeueAt: 2 * HOUR });
  });
});
