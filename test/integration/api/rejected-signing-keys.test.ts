import { afterAll, describe, expect, test } from '@jest/globals';
import { testApi } from '../../support/api.ts';
import { key, kid, many } from './objects.ts';
import { expectAcceptance, expectRejection, type Rejection } from './rejection.ts';

const api = testApi();
afterAll(api.close);

const rotation = (fields: object) => key({ rotation: fields });
const own = (fields: object) => key({ privateKeyRef: { name: 'a', key: 'tls.key', ...fields } });

const rejections: readonly Rejection[] = [
  ['without a spec', { ...key(), spec: undefined }, 'spec', 'Required'],
  ['with a symmetric algorithm', key({ algorithm: 'HS256' }), 'spec.algorithm', 'ES256'],
  ['with no algorithm', key({ algorithm: 'none' }), 'spec.algorithm', 'ES256'],
  [
    'that changes too often',
    rotation({ interval: '9m', publishBefore: '5m' }),
    'spec.rotation.interval',
    'at least 10m',
  ],
  [
    'that changes at no duration',
    rotation({ interval: 'monthly' }),
    'spec.rotation.interval',
    'such as 1h30m',
  ],
  [
    'that is published for less than verifiers may cache',
    rotation({ publishBefore: '299s' }),
    'spec.rotation.publishBefore',
    'at least 300s',
  ],
  [
    'that is published at no duration',
    rotation({ publishBefore: '1d' }),
    'spec.rotation.publishBefore',
    'such as 1h30m',
  ],
  [
    'that is published as long as it signs',
    rotation({ interval: '1h', publishBefore: '60m' }),
    'spec.rotation.publishBefore',
    'shorter than spec.rotation.interval',
  ],
  [
    'that changes sooner than it is published by default',
    rotation({ interval: '12h' }),
    'spec.rotation.publishBefore',
    'set publishBefore too',
  ],
  ['a provided key without a name', own({ name: undefined }), 'spec.privateKeyRef.name', 'Required'],
  ['a provided key with an invalid name', own({ name: 'A' }), 'spec.privateKeyRef.name', 'name of an object'],
  ['a provided key without a key name', own({ key: undefined }), 'spec.privateKeyRef.key', 'Required'],
  [
    'a provided key with an invalid key name',
    own({ key: 'a/b' }),
    'spec.privateKeyRef.key',
    'key of a Secret',
  ],
  [
    'with a compromised kid that is too short',
    key({ compromised: ['a'.repeat(42)] }),
    'spec.compromised',
    'must hold kids',
  ],
  [
    'with a compromised kid that is too long',
    key({ compromised: ['a'.repeat(44)] }),
    'spec.compromised',
    '43',
  ],
  [
    'with a compromised kid that is no base64url',
    key({ compromised: ['+'.repeat(43)] }),
    'spec.compromised',
    'must hold kids',
  ],
  [
    'with a kid compromised twice',
    key({ compromised: [kid('a'), kid('a')] }),
    'spec.compromised[1]',
    'Duplicate',
  ],
  [
    'with 257 compromised kids',
    key({ compromised: many(257).map((text) => text.padEnd(43, 'x')) }),
    'spec.compromised',
    '256',
  ],
];

describe('the API server rejects a SigningKey', () => {
  test.each(rejections)('%s', (...rejection) => expectRejection(api, rejection));

  test('with a name that no label can hold', async () => {
    const { status, body } = await api.create(key({}, { name: 'a'.repeat(64) }), {
      query: { dryRun: 'All' },
    });
    expect({ status, message: body.message }).toEqual({
      status: 422,
      message: expect.stringContaining('metadata.name must have at most 63 characters'),
    });
  });
});

describe('the API server accepts a SigningKey', () => {
  test.each([
    ['that says nothing', key()],
    ['with a name of 63 characters', key({}, { name: 'a'.repeat(63) })],
    ...['ES256', 'ES384', 'EdDSA', 'RS256', 'PS256'].map(
      (algorithm) => [`of ${algorithm}`, key({ algorithm })] as const,
    ),
    ['that changes as often as can be', rotation({ interval: '10m', publishBefore: '300s' })],
    ['with rotation said as nothing', rotation({})],
    ['with a provided key', own({})],
    ['with 256 compromised kids', key({ compromised: many(256).map((text) => text.padEnd(43, 'x')) })],
  ])('%s', (_, object) => expectAcceptance(api, object));
});
