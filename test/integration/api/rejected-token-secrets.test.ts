import { afterAll, describe, test } from '@jest/globals';
import { testApi } from '../../support/api.ts';
import { many, token } from './objects.ts';
import { expectRejection, type Rejection } from './rejection.ts';

const api = testApi();
afterAll(api.close);

const secret = (fields: object) => token({ secret: fields });

const rejections: readonly Rejection[] = [
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
];

describe('the API server rejects a Token', () => {
  test.each(rejections)('%s', (...rejection) => expectRejection(api, rejection));
});
