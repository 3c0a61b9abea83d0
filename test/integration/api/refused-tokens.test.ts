import { afterAll, describe, expect, test } from '@jest/globals';
import { testApi } from '../../support/api.ts';
import { many, token } from './objects.ts';
import { expectRefusal, type Refusal } from './refusal.ts';

const api = testApi();
afterAll(api.close);

const secret = (fields: object) => token({ secret: fields });
const renewal = (fields: object, spec: object = {}) => token({ renewal: fields, ...spec });

const refusals: readonly Refusal[] = [
  ['without a spec', { ...token(), spec: undefined }, 'spec', 'Required'],
  ['without a clientRef', token({ clientRef: undefined }), 'spec.clientRef', 'Required'],
  ['whose client has no name', token({ clientRef: {} }), 'spec.clientRef.name', 'Required'],
  [
    'whose client has an empty name',
    token({ clientRef: { name: '' } }),
    'spec.clientRef.name',
    'name of an object',
  ],
  [
    'whose client has a name in capitals',
    token({ clientRef: { name: 'App' } }),
    'spec.clientRef.name',
    'name of an object',
  ],
  [
    'whose client has a name of 254 letters',
    token({ clientRef: { name: 'a'.repeat(254) } }),
    'spec.clientRef.name',
    '253',
  ],
  [
    'whose client is in no namespace',
    token({ clientRef: { name: 'a', namespace: 'a.b' } }),
    'spec.clientRef.namespace',
    'name of a namespace',
  ],
  ['with an empty tokenName', token({ tokenName: '' }), 'spec.tokenName', '1 chars'],
  ['with a tokenName of 254 characters', token({ tokenName: 'ä'.repeat(254) }), 'spec.tokenName', '253'],
  ['with a line feed in its tokenName', token({ tokenName: 'a\nb' }), 'spec.tokenName', 'control characters'],
  [
    'with a line feed after its tokenName',
    token({ tokenName: 'a\n' }),
    'spec.tokenName',
    'control characters',
  ],
  [
    'with a C1 control in its tokenName',
    token({ tokenName: 'a\u0085b' }),
    'spec.tokenName',
    'control characters',
  ],
  ['with an empty audience', token({ audience: [''] }), 'spec.audience', '1 chars'],
  ['with a space in an audience', token({ audience: ['a b'] }), 'spec.audience', 'without white space'],
  [
    'with a line feed after an audience',
    token({ audience: ['a\n'] }),
    'spec.audience',
    'without white space',
  ],
  [
    'with a no-break space in an audience',
    token({ audience: ['a\u00a0b'] }),
    'spec.audience',
    'without white space',
  ],
  [
    'with a control character in an audience',
    token({ audience: ['a\u0007'] }),
    'spec.audience',
    'without white space',
  ],
  [
    'with an audience that has a : and is no URI',
    token({ audience: ['10.0.0.1:80'] }),
    'spec.audience',
    'must be a URI',
  ],
  ['with an audience that begins with a :', token({ audience: [':a'] }), 'spec.audience', 'must be a URI'],
  [
    'with an audience that is a scheme alone',
    token({ audience: ['https:'] }),
    'spec.audience',
    'must be a URI',
  ],
  [
    'with an audience whose % is no escape',
    token({ audience: ['urn:%zz'] }),
    'spec.audience',
    'must be a URI',
  ],
  ['with the same audience twice', token({ audience: ['a', 'a'] }), 'spec.audience[1]', 'Duplicate'],
  ['with 65 audiences', token({ audience: many(65) }), 'spec.audience', '64'],
  ['with an audience of 513 characters', token({ audience: ['a'.repeat(513)] }), 'spec.audience', '512'],
  ['with an empty scope', token({ scope: [''] }), 'spec.scope', '1 chars'],
  ['with two scopes in one entry', token({ scope: ['a b'] }), 'spec.scope', 'one scope an entry'],
  ['with a " in a scope', token({ scope: ['a"b'] }), 'spec.scope', 'one scope an entry'],
  ['with a \\ in a scope', token({ scope: ['a\\b'] }), 'spec.scope', 'one scope an entry'],
  ['with a scope beyond ASCII', token({ scope: ['größe'] }), 'spec.scope', 'one scope an entry'],
  ['with a DEL in a scope', token({ scope: ['a\u007f'] }), 'spec.scope', 'one scope an entry'],
  ['with a line feed after a scope', token({ scope: ['a\n'] }), 'spec.scope', 'one scope an entry'],
  ['with the same scope twice', token({ scope: ['a', 'a'] }), 'spec.scope[1]', 'Duplicate'],
  ['with 257 scopes', token({ scope: many(257) }), 'spec.scope', '256'],
  ['with a scope of 257 characters', token({ scope: ['a'.repeat(257)] }), 'spec.scope', '256'],
  ['whose scope is one text', token({ scope: 'a b' }), 'spec.scope', 'array'],
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
    renewal({ renewBefore: 'soon' }),
    'spec.renewal.renewBefore',
    'such as 1h30m',
  ],
  ['whose overlap is no duration', renewal({ overlap: '5' }), 'spec.renewal.overlap', 'such as 1h30m'],
  ['whose Secret has a name in capitals', secret({ name: 'Jwt' }), 'spec.secret.name', 'name of an object'],
  [
    'whose Secret has a name with an underscore',
    secret({ name: 'a_b' }),
    'spec.secret.name',
    'name of an object',
  ],
  [
    'whose Secret has a name with an empty label',
    secret({ name: 'a..b' }),
    'spec.secret.name',
    'name of an object',
  ],
  ['whose Secret key has a slash', secret({ key: 'a/b' }), 'spec.secret.key', 'key of a Secret'],
  ['whose Secret key is a dot', secret({ key: '.' }), 'spec.secret.key', 'key of a Secret'],
  ['whose Secret key begins with two dots', secret({ key: '..a' }), 'spec.secret.key', 'key of a Secret'],
  ['whose Secret key has 254 characters', secret({ key: 'a'.repeat(254) }), 'spec.secret.key', '253'],
  [
    'that sets our label',
    secret({ labels: { 'app.kubernetes.io/managed-by': 'me' } }),
    'spec.secret.labels',
    "the operator's",
  ],
  [
    'that sets a label under our group',
    secret({ labels: { 'm2moauth.dev/a': 'b' } }),
    'spec.secret.labels',
    "the operator's",
  ],
  [
    'that sets an annotation under our group',
    secret({ annotations: { 'm2moauth.dev/token-id': 'b' } }),
    'spec.secret.annotations',
    "the operator's",
  ],
  ['with a label key that is none', secret({ labels: { 'a b': 'c' } }), 'spec.secret.labels', 'keys such as'],
  [
    'with an annotation key that is none',
    secret({ annotations: { 'a/b/c': 'd' } }),
    'spec.secret.annotations',
    'keys such as',
  ],
  [
    'with a label key of 64 characters',
    secret({ labels: { ['a'.repeat(64)]: 'b' } }),
    'spec.secret.labels',
    'keys such as',
  ],
  [
    'with a label key whose prefix has 254 characters',
    secret({ labels: { [`${'a'.repeat(254)}/b`]: 'b' } }),
    'spec.secret.labels',
    'keys such as',
  ],
  ['with a label value that is none', secret({ labels: { a: 'b c' } }), 'spec.secret.labels', 'label values'],
  [
    'with a label value of 64 characters',
    secret({ labels: { a: 'b'.repeat(64) } }),
    'spec.secret.labels',
    '63',
  ],
  [
    'with 33 labels',
    secret({ labels: Object.fromEntries(many(33).map((name) => [name, ''])) }),
    'spec.secret.labels',
    '32',
  ],
  [
    'with 33 annotations',
    secret({ annotations: Object.fromEntries(many(33).map((name) => [name, ''])) }),
    'spec.secret.annotations',
    '32',
  ],
  [
    'with an annotation of 4097 characters',
    secret({ annotations: { a: 'b'.repeat(4097) } }),
    'spec.secret.annotations',
    '4096',
  ],
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

describe('the API server refuses a Token', () => {
  test.each(refusals)('%s', (...refusal) => expectRefusal(api, refusal));
});

describe('the API server accepts a Token', () => {
  test.each([
    ['with a clientRef alone', token()],
    ['with a client elsewhere', token({ clientRef: { name: 'a.b-c', namespace: 'team' } })],
    ['with a tokenName of 253 characters that are no ASCII', token({ tokenName: '🗝'.repeat(253) })],
    [
      'with audiences of every kind',
      token({
        audience: [
          'api',
          'größe',
          '*',
          'https://a.example:8443/x?y=%20#z',
          'urn:a:b',
          'https://[::1]/',
          'spiffe://a/b',
          'service:80',
        ],
      }),
    ],
    [
      'with 64 audiences of 512 characters',
      token({ audience: many(64).map((text) => text.padEnd(512, 'x')) }),
    ],
    [
      'with every character that a scope may have',
      token({ scope: ["!#$%&'()*+,-./09:;<=>?@AZ[]^_`az{|}~"] }),
    ],
    ['with 256 scopes of 256 characters', token({ scope: many(256).map((text) => text.padEnd(256, 'x')) })],
    ['with empty audience and scope', token({ audience: [], scope: [] })],
    ['with an expiration', token({ expiration: '2030-01-01T00:00:00.5+02:00' })],
    [
      'with an expiration, its policy said',
      token({ expiration: '2030-01-01T00:00:00Z', renewal: { policy: 'Never' } }),
    ],
    ['with a lifetime of a minute', token({ lifetime: '1m' })],
    ['with a lifetime of 100 years', token({ lifetime: '876000h' })],
    [
      'with a lifetime in fractions and every unit',
      token({ lifetime: '1.5h2m3.25s4ms5us6µs', renewal: { renewBefore: '7ns' } }),
    ],
    ['with a lifetime of a second, not renewed', renewal({ policy: 'Never' }, { lifetime: '1s' })],
    [
      'with a renewal in every detail',
      renewal({ policy: 'Auto', renewBefore: '0s', overlap: '0s' }, { lifetime: '1h' }),
    ],
    [
      'with a Secret in every detail',
      secret({
        name: 'a.b-c',
        key: '.a_B-c',
        labels: { 'example.com/Name': 'A_b.c', b: '' },
        annotations: { 'example.com/a': 'b c\n' },
      }),
    ],
    [
      'with a label key of the longest kind',
      secret({ labels: { [`${`${'a'.repeat(63)}.`.repeat(3)}${'a'.repeat(61)}/${'b'.repeat(63)}`]: 'c' } }),
    ],
    [
      'with a time to live and an expiration',
      token({ expiration: '2030-01-01T00:00:00Z', ttlSecondsAfterExpired: 0 }),
    ],
    [
      'with a time to live, not renewed',
      renewal({ policy: 'Never' }, { ttlSecondsAfterExpired: 2 ** 31 - 1 }),
    ],
    ['that is revoked from the start', token({ revoked: true })],
  ])('%s', async (_, object) => {
    const { status, body } = await api.create(object, {
      query: { dryRun: 'All', fieldValidation: 'Strict' },
    });
    expect({ status, message: body.message }).toEqual({ status: 201, message: undefined });
  });
});
