import { describe, expect, test } from '@jest/globals';
import type { LeaseSpec } from '../../../operator/ports/lease.ts';
import { buildLeaseSpec, buildReleasedSpec, planLease } from '../../../operator/runtime/lease-decision.ts';

/** As client-go (Go) writes it. */
const held: LeaseSpec = {
  holderIdentity: 'other_8c1f',
  leaseDurationSeconds: 15,
  acquireTime: '2020-01-01T00:00:00.000000Z',
  renewTime: '2020-01-01T00:00:00.000000Z',
  leaseTransitions: 4,
};

const seen = (spec: LeaseSpec, since = 1_000) => ({ resourceVersion: '1', spec, since });

describe('what to do about a lease', () => {
  test.each([
    ['another candidate renewed it just now: wait', seen(held), 1_000, 'held'],
    ['its renewTime is years ago, but we saw it only now: wait all the same', seen(held), 15_999, 'held'],
    ['to the last millisecond it is theirs', seen(held), 16_000, 'held'],
    ['it did not change for its whole duration by our clock: take it', seen(held), 16_001, 'acquire'],
    ['it was released: take it at once', seen({ ...held, holderIdentity: '' }), 1_000, 'acquire'],
    ['it never had a holder: take it', seen({}), 1_000, 'acquire'],
    ['it is ours: renew it', seen({ ...held, holderIdentity: 'us' }), 99_000, 'renew'],
    ['the holder gave no duration: it is over at once', seen({ holderIdentity: 'x' }), 1_001, 'acquire'],
  ])('%s', (_name, observed, now, kind) => {
    expect(planLease(observed, 'us', now).kind).toBe(kind);
  });
});

const claim = { identity: 'us', leaseDurationMs: 15_000, now: '2026-01-01T00:00:00.123000Z' };

describe('what is written', () => {
  test('a first record counts no transition', () => {
    expect(buildLeaseSpec(undefined, claim)).toEqual({
      holderIdentity: 'us',
      leaseDurationSeconds: 15,
      acquireTime: claim.now,
      renewTime: claim.now,
      leaseTransitions: 0,
    });
  });

  test('taking over counts one transition and begins a new time', () => {
    expect(buildLeaseSpec(held, claim)).toMatchObject({ acquireTime: claim.now, leaseTransitions: 5 });
  });

  test('a renewal moves renewTime alone', () => {
    const ours = buildLeaseSpec(held, claim);
    const later = '2026-01-01T00:00:02.000000Z';
    expect(buildLeaseSpec(ours, { ...claim, now: later })).toEqual({ ...ours, renewTime: later });
  });

  test('what others coordinate the election by is kept', () => {
    const coordinated = { strategy: 'OldestEmulationVersion', preferredHolder: 'other_9d20' };
    expect(buildLeaseSpec({ ...held, ...coordinated }, claim)).toMatchObject(coordinated);
    expect(buildReleasedSpec({ ...held, ...coordinated }, claim.now)).toMatchObject(coordinated);
    expect(buildLeaseSpec(held, claim)).not.toHaveProperty('strategy');
  });

  test('a duration that is no whole number of seconds is rounded up, for the others to be patient', () => {
    expect(buildLeaseSpec(undefined, { ...claim, leaseDurationMs: 1_500 }).leaseDurationSeconds).toBe(2);
  });

  test('a release has no holder and lasts one second', () => {
    expect(buildReleasedSpec(held, claim.now)).toMatchObject({
      holderIdentity: '',
      leaseDurationSeconds: 1,
      leaseTransitions: 4,
    });
  });
});
