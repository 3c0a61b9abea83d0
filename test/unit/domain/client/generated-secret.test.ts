import { describe, expect, test } from '@jest/globals';
import {
  findOverwrittenFields,
  isGenerated,
  newGeneratedSecret,
  planGeneratedRepair,
  type ReadSecret,
} from '../../../../operator/domain/client/generated-secret.ts';
import { makeClient } from '../token/fake-token.ts';

const client = makeClient();
const encode = (text: string) => Buffer.from(text).toString('base64');
const wanted = { key: 'client_secret', makeSecret: () => 'new' };
const made = newGeneratedSecret(client, 'creds', { ...wanted, makeSecret: () => 'first' });
const found = (metadata: object = {}, more: object = {}): ReadSecret => ({
  ...made,
  ...more,
  metadata: { name: 'creds', ...made.metadata, ...metadata },
});
const legacy = { labels: { 'app.kubernetes.io/managed-by': 'm2m-oauth-operator' }, annotations: {} };
const [reference] = made.metadata.ownerReferences;

test('a new one has client ID, secret, marks and its controller', () => {
  expect(made).toEqual({
    metadata: {
      labels: { 'app.kubernetes.io/managed-by': 'm2m-oauth-operator', 'm2moauth.dev/own-name': 'creds' },
      annotations: { 'm2moauth.dev/made-as': 'creds of OAuthClient app' },
      ownerReferences: [
        {
          apiVersion: 'm2moauth.dev/v1alpha1',
          kind: 'OAuthClient',
          name: 'app',
          uid: 'client-1',
          controller: true,
        },
      ],
    },
    data: { client_id: encode('app'), client_secret: encode('first') },
  });
});

describe('a Secret was generated', () => {
  const none = { ownerReferences: [] };
  test.each<[boolean, string, ReadSecret]>([
    [true, 'that the client controls', found({ labels: {}, annotations: {} })],
    [true, 'without controller, with its marks', found(none)],
    [true, 'without controller, of an earlier version, with the client ID', found({ ...none, ...legacy })],
    [
      false,
      'without controller, with the label of an earlier version alone',
      found({ ...none, ...legacy }, { data: {} }),
    ],
    [false, 'without controller and marks', found({ ...none, labels: {}, annotations: {} })],
    [false, 'without controller, with the marks of another Secret', found({ ...none, name: 'copy' })],
    [
      false,
      'with another controller',
      found({ ownerReferences: [{ ...reference, kind: 'Token', uid: 'x' }] }),
    ],
    [
      false,
      'of a deleted client of that name',
      found({ ownerReferences: [{ ...reference, uid: 'earlier' }] }),
    ],
  ])('%s: one %s', (expected, _, secret) => {
    expect(isGenerated(client, secret)).toBe(expected);
  });
});

test('the fields that others change are named, but not the marks that an earlier version did not write', () => {
  expect(findOverwrittenFields(client, found())).toEqual([]);
  expect(findOverwrittenFields(client, found(legacy))).toEqual([]);
  const labels = { ...made.metadata.labels, 'app.kubernetes.io/managed-by': 'platform' };
  expect(findOverwrittenFields(client, found({ labels, annotations: {}, ownerReferences: [] }))).toEqual([
    'metadata.labels["app.kubernetes.io/managed-by"]',
    'metadata.annotations["m2moauth.dev/made-as"]',
    'metadata.ownerReferences',
  ]);
});

describe('the repair of a generated Secret', () => {
  test.each<[string, ReadSecret]>([
    ['as it was made', found()],
    ['of an earlier version', found(legacy)],
    [
      'with the managed-by label of another',
      found({ labels: { ...made.metadata.labels, 'app.kubernetes.io/managed-by': 'platform' } }),
    ],
    [
      'that is immutable, with another client ID',
      found({}, { immutable: true, data: { ...made.data, client_id: encode('x') } }),
    ],
  ])('is none if it is %s', (_, secret) => {
    expect(planGeneratedRepair(client, secret, wanted)).toBeUndefined();
  });

  test.each<[string, ReadSecret, object]>([
    ['no labels', found({ labels: {}, annotations: {} }), made.data],
    ['no owner', found({ ownerReferences: [] }), made.data],
    ['another client ID', found({}, { data: { ...made.data, client_id: encode('x') } }), made.data],
    [
      'no secret',
      found({}, { data: { client_id: encode('app') } }),
      { ...made.data, client_secret: encode('new') },
    ],
    ['no owner, and is immutable', found({ ownerReferences: [] }, { immutable: true }), made.data],
    [
      'another secret beside it',
      found({ labels: {} }, { data: { ...made.data, client_secret_previous: encode('x') } }),
      { ...made.data, client_secret_previous: encode('x') },
    ],
  ])('keeps the secret if it has %s', (_, secret, data) => {
    expect(planGeneratedRepair(client, secret, wanted)).toEqual({ ...made, data, replace: false });
  });

  test('replaces an immutable one that has no secret', () => {
    const repair = planGeneratedRepair(client, found({}, { immutable: true, data: {} }), wanted);
    expect(repair).toEqual({ ...made, data: { ...made.data, client_secret: encode('new') }, replace: true });
  });

  test('leaves the secret under the key of the client ID', () => {
    const key = { key: 'client_id', makeSecret: () => 'new' };
    expect(newGeneratedSecret(client, 'creds', key).data).toEqual({ client_id: encode('new') });
    const secret = found({ labels: {} }, { data: { client_id: encode('kept') } });
    expect(planGeneratedRepair(client, secret, key)?.data).toEqual({ client_id: encode('kept') });
  });
});
