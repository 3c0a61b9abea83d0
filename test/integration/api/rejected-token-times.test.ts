import { afterAll, describe, test } from '@jest/globals';
import { testApi } from '../../support/api.ts';
import { token } from './objects.ts';
import { expectRejection, type Rejection } from './rejection.ts';

const api = testApi();
afterAll(api.close);

const renewal = (fields: object, spec: object = {}) => token({ renewal: fields, ...spec });

const rejections: readonly Rejection[] = [
  [
    'with expiration and lifetime',
    token({ expiration: '2030-01-01T00:00:00Z', lifetime: '1h' }),
    'spec.lifetime',
    'exclude each other',
  ],
  ['whose expiration is a date', token({ expiration: '2030-01-01' }), 'spec.expiration', 'date-time'],
  [
    'whose expiration has no zone',
    token({ expiration: '2030-01-01T00:00:00' }),
    'spec.expiration',
    'date-time',
  ],
  [
    'whose expiration is the 30th of February',
    token({ expiration: '2030-02-30T00:00:00Z' }),
    'spec.expiration',
    'date-time',
  ],
  [
    'whose expiration has rubbish for a fraction',
    token({ expiration: '2030-01-01T00:00:00x5Z' }),
    'spec.expiration',
    'should match',
  ],
  [
    'whose expiration is in small letters',
    token({ expiration: '2030-01-01t00:00:00z' }),
    'spec.expiration',
    'should match',
  ],
  ['whose expiration is empty', token({ expiration: '' }), 'spec.expiration', 'date-time'],
  [
    'whose expiration is to be renewed',
    renewal({ policy: 'Auto' }, { expiration: '2030-01-01T00:00:00Z' }),
    'spec.renewal.policy',
    'instead of spec.expiration',
  ],
  ['whose lifetime is no duration', token({ lifetime: '1 hour' }), 'spec.lifetime', 'such as 1h30m'],
  ['whose lifetime is a number without unit', token({ lifetime: '60' }), 'spec.lifetime', 'such as 1h30m'],
  ['whose lifetime is in days', token({ lifetime: '1d' }), 'spec.lifetime', 'such as 1h30m'],
  ['whose lifetime is negative', token({ lifetime: '-1h' }), 'spec.lifetime', 'such as 1h30m'],
  ['whose lifetime is empty', token({ lifetime: '' }), 'spec.lifetime', 'such as 1h30m'],
  ['whose lifetime is a number', token({ lifetime: 60 }), 'spec.lifetime', 'string'],
  ['whose lifetime is over 100 years', token({ lifetime: '876001h' }), 'spec.lifetime', 'at most 876000h'],
  [
    'whose lifetime would overflow 64 bits',
    token({ lifetime: '9999999h' }),
    'spec.lifetime',
    'at most 876000h',
  ],
  [
    'whose lifetime would overflow in its sum',
    token({ lifetime: '999999h999999h999999h' }),
    'spec.lifetime',
    'at most 876000h',
  ],
  ['whose lifetime is too long a text', token({ lifetime: '1m'.repeat(33) }), 'spec.lifetime', '64'],
  [
    'whose lifetime is nothing',
    renewal({ policy: 'Never' }, { lifetime: '0s' }),
    'spec.lifetime',
    'at least 1s',
  ],
  ['whose lifetime is too short to renew', token({ lifetime: '59s' }), 'spec.lifetime', 'at least 1m'],
  [
    'whose lifetime is too short to renew on purpose',
    renewal({ policy: 'Auto' }, { lifetime: '59.9s' }),
    'spec.lifetime',
    'at least 1m',
  ],
  ['whose renewal policy is none', renewal({ policy: 'Sometimes' }), 'spec.renewal.policy', 'Auto'],
  [
    'whose renewBefore is no duration',
    renewal({ renewBefore: 'defer' }),
    'spec.renewal.renewBefore',
    'such as 1h30m',
  ],
  ['whose overlap is no duration', renewal({ overlap: '5' }), 'spec.renewal.overlap', 'such as 1h30m'],
  [
    'that is renewed and deleted after expiry',
    token({ ttlSecondsAfterExpired: 60 }),
    'spec.ttlSecondsAfterExpired',
    'does not expire',
  ],
  [
    'that is renewed on purpose and deleted after expiry',
    renewal({ policy: 'Auto' }, { ttlSecondsAfterExpired: 60 }),
    'spec.ttlSecondsAfterExpired',
    'does not expire',
  ],
  [
    'deleted before expiry',
    renewal({ policy: 'Never' }, { ttlSecondsAfterExpired: -1 }),
    'spec.ttlSecondsAfterExpired',
    'greater than or equal to 0',
  ],
  [
    'deleted after more than 32 bits of seconds',
    renewal({ policy: 'Never' }, { ttlSecondsAfterExpired: 2 ** 31 }),
    'spec.ttlSecondsAfterExpired',
    'int32',
  ],
  ['revoked by a text', token({ revoked: 'true' }), 'spec.revoked', 'boolean'],
];

describe('the API server rejects a Token', () => {
  test.each(rejections)('%s', (...rejection) => expectRejection(api, rejection));
});
