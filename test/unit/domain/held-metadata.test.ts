import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { KubeObject, ObjectMeta } from '../../../operator/api/meta.ts';
import { cachedNamespaceOf } from '../../../operator/domain/cached-namespace.ts';
import { cachedClientOf } from '../../../operator/domain/client/cached-client.ts';
import { heldText, mayBeDigest } from '../../../operator/domain/held-metadata.ts';
import { cachedSigningKeyOf } from '../../../operator/domain/key/cached-signing-key.ts';
import { cachedTokenBatchOf } from '../../../operator/domain/record/cached-token-batch.ts';
import { cachedIssuedTokenOf } from '../../../operator/domain/record/issued-token.ts';
import { cachedTokenOf, mayLackAnnotations } from '../../../operator/domain/token/declared-token.ts';
import { cachedSecretMetaOf } from '../../../operator/kube/secret-meta.ts';
import { makeClient, makeToken } from './token/fake-token.ts';

const many = (count: number, prefix: string, value: string) =>
  Object.fromEntries(Array.from({ length: count }, (_, at) => [`${prefix}${at}`, value]));

/** As much metadata as a tenant can set: annotations of 256 KB in all, and as many labels, owners and finalizers as one object holds. */
const flood: ObjectMeta = {
  name: 'n',
  namespace: 'team',
  uid: 'd9a1b6a5-0ad1-4f3e-9a55-000000000001',
  resourceVersion: '7',
  creationTimestamp: '2026-01-01T00:00:00Z',
  generation: 3,
  labels: many(5_000, 'label', 'v'),
  annotations: {
    ...many(2_000, 'small', 'v'),
    big: 'x'.repeat(200_000),
    'm2moauth.dev/renew': 'y'.repeat(5_000),
  },
  finalizers: Array.from({ length: 1_000 }, (_, at) => `example.com/${at}`),
  ownerReferences: Array.from({ length: 1_000 }, (_, at) => ({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    name: `c${at}`,
    uid: `u${at}`,
  })),
  managedFields: ['other', 'm2m-oauth-operator'].map((manager) => ({
    manager,
    fieldsV1: {
      'f:metadata': {
        'f:annotations': { ...many(2_000, 'f:small', ''), 'f:big': {} },
        'f:labels': many(5_000, 'f:label', ''),
      },
      'f:data': many(20_000, 'f:key', ''),
    },
  })),
};

const spec = {
  tokenName: 't',
  owner: 'alice',
  subject: 'alice',
  clientID: 'app',
  clientRef: { name: 'app' },
  clientUID: 'u',
  keyID: 'k',
  issuedAt: '2026-01-01T00:00:00Z',
  profiles: [],
  tokens: [],
};
const object = (kind: string): KubeObject => ({ apiVersion: 'v1', kind, metadata: flood });
const token = { ...makeToken({ secret: { annotations: many(32, 'a', 'z'.repeat(4096)) } }), metadata: flood };

describe('of metadata that tenants set, caches hold less than 12 KB of', () => {
  test.each<[string, unknown]>([
    ['a Token', cachedTokenOf(token)],
    ['an OAuthClient', cachedClientOf({ ...makeClient(), metadata: flood })],
    ['a SigningKey', cachedSigningKeyOf({ ...object('SigningKey'), spec: {} } as never)],
    ['an IssuedToken', cachedIssuedTokenOf({ ...object('IssuedToken'), spec } as never)],
    ['a TokenBatch', cachedTokenBatchOf({ ...object('TokenBatch'), spec } as never)],
    ['a Secret', cachedSecretMetaOf(object('Secret'))],
    ['a Namespace', cachedNamespaceOf(object('Namespace'))],
  ])('%s', (_, held) => {
    expect(JSON.stringify(held).length).toBeLessThan(12_000);
    expect(held).toMatchObject({ metadata: { name: 'n', uid: flood.uid, resourceVersion: '7' } });
  });
});

test('a Token is held with what its plan compares, and again with the same', () => {
  const held = cachedTokenOf(token);
  expect(held.metadata.generation).toBe(3);
  expect(Object.keys(held.metadata.annotations ?? {})).toEqual(['m2moauth.dev/renew']);
  expect(held.metadata.annotations?.['m2moauth.dev/renew']).toMatch(/^sha256:/u);
  expect(mayLackAnnotations(held)).toBe(true);
  expect(cachedTokenOf(held)).toEqual(held);
});

test('a Token without annotations of its own is held without any, and with its spec as it is', () => {
  const { metadata, spec: asked } = makeToken(
    { secret: { annotations: { team: 'x' } } },
    { annotations: { a: 'b' } },
  );
  const held = cachedTokenOf({ ...makeToken(), metadata, spec: asked });
  expect(held.metadata).not.toHaveProperty('annotations');
  expect(held.spec).toEqual(asked);
  expect(mayLackAnnotations(held)).toBe(false);
});

test('a namespace has its labels for selectors, and none if there are more than 256 of them', () => {
  const labelled = (labels: Record<string, string>) =>
    cachedNamespaceOf({ ...object('Namespace'), metadata: { ...flood, labels } });
  expect(labelled({ team: 'a' })).toMatchObject({
    metadata: { labels: { team: 'a' } },
    hasTooManyLabels: false,
  });
  expect(labelled(many(256, 'l', 'v')).hasTooManyLabels).toBe(false);
  expect(labelled(many(257, 'l', 'v'))).toMatchObject({ hasTooManyLabels: true });
  expect(labelled(many(257, 'l', 'v')).metadata).not.toHaveProperty('labels');
});

test('the held form of a held text is the same, and two texts have one form only if they are equal', () => {
  const text = fc.oneof(fc.string(), fc.string({ minLength: 100, maxLength: 400 }));
  fc.assert(
    fc.property(text, text, (a, b) => {
      expect(heldText(heldText(a))).toBe(heldText(a));
      expect(heldText(a).length).toBeLessThanOrEqual(128);
      expect(heldText(a) === heldText(b)).toBe(a === b);
      expect(heldText(a) === a || mayBeDigest(heldText(a))).toBe(true);
    }),
  );
});
