import { expect, test } from '@jest/globals';
import type { Token } from '../../../../operator/api/token.ts';
import { BlockerTimes } from '../../../../operator/reconcilers/token/blocker-times.ts';
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
