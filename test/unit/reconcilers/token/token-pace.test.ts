import { expect, test } from '@jest/globals';
import type { Token } from '../../../../operator/api/token.ts';
import {
  AlteredSecrets,
  BlockerTimes,
  REPAIRS,
  TokenPace,
} from '../../../../operator/reconcilers/token/token-pace.ts';
import { makeToken } from '../../domain/token/fake-token.ts';

const token = (reason: string, uid = 'u'): Token => ({
  ...makeToken({}, { uid }),
  status: {
    conditions: [
      {
        type: 'Ready',
        status: 'False',
        reason,
        message: '',
        lastTransitionTime: '2020-01-01T00:00:00Z',
        observedGeneration: 1,
      },
    ],
  },
});

test('an obstacle counts from when its reason was first seen, and is forgotten with it', () => {
  const times = new BlockerTimes();
  times.note(token('ClientNotFound'), 1_000);
  expect(times.of('u')).toBeUndefined();
  times.note(token('SecretRefused'), 5_500);
  times.note(token('SecretRefused'), 90_000);
  expect(times.of('u')).toEqual({ reason: 'SecretRefused', since: 5 });
  times.note(token('SecretConflict'), 100_000);
  expect(times.of('u')).toEqual({ reason: 'SecretConflict', since: 100 });
  times.note(token('Issued'), 200_000);
  expect(times.of('u')).toBeUndefined();
});

test('no more than ten thousand are remembered, the last ones', () => {
  const times = new BlockerTimes();
  for (let n = 0; n <= 10_000; n += 1) times.note(token('SecretRefused', `u${n}`), 1_000);
  expect(times.of('u0')).toBeUndefined();
  expect(times.of('u1')).toBeDefined();
  expect(times.of('u10000')).toBeDefined();
});

test('three repairs go at once, then one in twenty seconds, each key for itself', () => {
  const limiter = new TokenPace(REPAIRS);
  expect([1, 2, 3].map(() => limiter.take('a', 1_000_000))).toEqual([0, 0, 0]);
  expect(limiter.take('a', 1_000_000)).toBe(20_000);
  expect(limiter.take('b', 1_000_000)).toBe(0);
  expect(limiter.take('a', 1_019_000)).toBe(1_000);
  expect(limiter.take('a', 1_020_000)).toBe(0);
  expect(limiter.take('a', 1_020_000)).toBe(20_000);
});

test('a clock that goes back delays no retry by more than one interval', () => {
  const limiter = new TokenPace(REPAIRS);
  for (let n = 0; n < 3; n += 1) limiter.take('a', 1_000_000_000);
  expect(limiter.take('a', 0)).toBe(20_000);
});

test('when one is possible is known without taking it', () => {
  const pace = new TokenPace({ burst: 2, refillMs: 10_000 });
  expect(pace.possibleAt('a', 1_000)).toBeUndefined();
  pace.take('a', 1_000);
  expect(pace.possibleAt('a', 1_000)).toBeUndefined();
  pace.take('a', 1_000);
  expect(pace.possibleAt('a', 1_000)).toBe(11_000);
  expect(pace.possibleAt('a', 4_000)).toBe(11_000);
  expect(pace.possibleAt('b', 4_000)).toBeUndefined();
  expect(pace.possibleAt('a', 11_000)).toBeUndefined();
});

test('a JWT that others change is not written again for its own event, but at growing intervals, and at once if the Secret changes', () => {
  const altered = new AlteredSecrets();
  const failure = { reason: 'SecretRefused', message: 'm' } as const;
  expect(altered.failureOf('u', '1', 0)).toBeUndefined();
  expect(altered.failureOf('u', undefined, 0)).toBeUndefined();
  altered.note('u', { resourceVersion: '1', failure }, 0);
  expect(altered.failureOf('u', '1', 14_999)).toBe(failure);
  expect(altered.failureOf('u', '2', 0)).toBeUndefined();
  expect(altered.failureOf('other', '1', 0)).toBeUndefined();
  expect(altered.failureOf('u', '1', 15_000)).toBeUndefined();
  altered.note('u', { resourceVersion: '2', failure }, 15_000);
  expect(altered.failureOf('u', '2', 44_999)).toBe(failure);
  expect(altered.failureOf('u', '2', 45_000)).toBeUndefined();
  for (let count = 0; count < 10; count += 1) altered.note('u', { resourceVersion: '3', failure }, 0);
  expect(altered.failureOf('u', '3', 599_999)).toBe(failure);
  expect(altered.failureOf('u', '3', 600_000)).toBeUndefined();
  altered.clear('u');
  expect(altered.failureOf('u', '3', 0)).toBeUndefined();
});
