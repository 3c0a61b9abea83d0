import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { type KubeObject, MANAGER, type ManagedFieldsEntry } from '../../../operator/api/meta.ts';
import { buildSecretMeta, cachedSecretMetaOf } from '../../../operator/kube/secret-meta.ts';

const secret = (managedFields: readonly ManagedFieldsEntry[]): KubeObject => ({
  apiVersion: 'meta.k8s.io/v1',
  kind: 'PartialObjectMetadata',
  metadata: {
    name: 's',
    namespace: 'n',
    uid: 'u',
    resourceVersion: '1',
    creationTimestamp: '2026-01-01T00:00:00Z',
    labels: { l: '1' },
    managedFields,
  },
});

const entry = (manager: string, keys: readonly string[], more: object = {}): ManagedFieldsEntry => ({
  manager,
  operation: 'Update',
  fieldsV1: { 'f:data': { '.': {}, ...Object.fromEntries(keys.map((key) => [`f:${key}`, {}])) }, ...more },
});

describe('the metadata of a Secret', () => {
  test('distinguishes the keys that we wrote from those of other managers', () => {
    const meta = buildSecretMeta(secret([entry(MANAGER, ['token']), entry('kubectl', ['extra'])]));
    expect(meta.fields).toMatchObject({ managedDataKeys: ['token'], dataOfOtherManagers: ['extra'] });
  });

  test('counts a key that we own together with others as ours', () => {
    const meta = buildSecretMeta(secret([entry(MANAGER, ['token']), entry('argo', ['token'])]));
    expect(meta.fields).toMatchObject({ managedDataKeys: ['token'], dataOfOtherManagers: [] });
  });

  test('counts a key that another manager applies as stringData as theirs, although our entry for it remains', () => {
    const applied = {
      manager: 'kubectl',
      operation: 'Apply',
      fieldsV1: { 'f:stringData': { 'f:token': {}, 'f:more': {} } },
    } as const;
    const meta = buildSecretMeta(secret([entry(MANAGER, ['token', 'kept']), applied]));
    expect(meta.fields).toMatchObject({ managedDataKeys: ['kept'], dataOfOtherManagers: ['more', 'token'] });
  });

  test('shows no owner at all where managedFields were emptied', () => {
    expect(buildSecretMeta(secret([{}])).fields).toEqual({
      managedDataKeys: [],
      dataOfOtherManagers: [],
      ownLabels: [],
      ownAnnotations: [],
    });
  });

  test('names our labels and annotations, dots and slashes included', () => {
    const metadata = {
      'f:metadata': {
        'f:labels': { '.': {}, 'f:app.kubernetes.io/managed-by': {} },
        'f:annotations': { 'f:m2moauth.dev/token-id': {} },
        'f:ownerReferences': { '.': {}, 'k:{"uid":"x"}': {} },
      },
    };
    const { fields } = buildSecretMeta(secret([entry(MANAGER, [], metadata)]));
    expect(fields.ownLabels).toEqual(['app.kubernetes.io/managed-by']);
    expect(fields.ownAnnotations).toEqual(['m2moauth.dev/token-id']);
  });

  test('keeps no managedFields and nothing but metadata', () => {
    const raw = { ...secret([entry(MANAGER, ['token'])]), data: { token: 'c2VjcmV0' } };
    const meta = buildSecretMeta(raw);
    expect(Object.keys(meta).sort()).toEqual(['apiVersion', 'fields', 'isReduced', 'kind', 'metadata']);
    expect(meta.metadata).not.toHaveProperty('managedFields');
    expect(meta.metadata.labels).toEqual({ l: '1' });
  });

  test('survives any managedFields, and never gives one key to both sides', () => {
    const fieldsV1 = fc.dictionary(
      fc.constantFrom('f:data', 'f:stringData', 'f:metadata', '.'),
      fc.jsonValue(),
    );
    const entries = fc.array(
      fc.record({ manager: fc.constantFrom(MANAGER, 'other'), fieldsV1 }, { requiredKeys: [] }),
    );
    fc.assert(
      fc.property(entries, (managedFields) => {
        const { fields } = buildSecretMeta(secret(managedFields as ManagedFieldsEntry[]));
        expect(fields.managedDataKeys.filter((key) => fields.dataOfOtherManagers.includes(key))).toEqual([]);
      }),
    );
  });

  test('assigns every owned data key to exactly one side', () => {
    const keys = fc.uniqueArray(fc.stringMatching(/^[-._a-zA-Z0-9]{1,20}$/u), { maxLength: 8 });
    fc.assert(
      fc.property(keys, keys, (own, others) => {
        const { fields } = buildSecretMeta(secret([entry(MANAGER, own), entry('other', others)]));
        expect([...fields.managedDataKeys, ...fields.dataOfOtherManagers].sort()).toEqual(
          [...new Set([...own, ...others])].sort(),
        );
        expect(fields.managedDataKeys).toEqual([...own].sort());
      }),
    );
  });
});

describe('what caches hold of a Secret', () => {
  const owner = { apiVersion: 'm2moauth.dev/v1alpha1', kind: 'Token', name: 't', uid: 'u' };
  const ours = (metadata: Partial<KubeObject['metadata']>): KubeObject => {
    const own = entry(MANAGER, ['token'], {
      'f:metadata': { 'f:labels': { 'f:l': {} }, 'f:annotations': { 'f:asked': {} } },
    });
    const { metadata: bare, ...rest } = secret([own]);
    return { ...rest, metadata: { ...bare, ...metadata } };
  };

  test('is all of it where nobody else has set anything', () => {
    const ownerReferences = [{ ...owner, controller: true }];
    const annotations = { asked: 'v', 'm2moauth.dev/token-id': 'x' };
    expect(cachedSecretMetaOf(ours({ annotations, ownerReferences }))).toMatchObject({
      isReduced: false,
      metadata: { labels: { l: '1' }, annotations, ownerReferences },
    });
  });

  test.each<[string, Partial<KubeObject['metadata']>]>([
    ['an annotation', { annotations: { asked: 'v', theirs: 'x' } }],
    ['a long annotation of ours', { annotations: { asked: 'v'.repeat(200) } }],
    ['a label', { labels: { l: '1', theirs: 'x' } }],
    ['an owner', { ownerReferences: [owner] }],
    ['a finalizer', { finalizers: ['example.com/hold'] }],
  ])('says that it lacks %s', (_, metadata) => {
    const held = cachedSecretMetaOf(ours(metadata));
    expect(held.isReduced).toBe(true);
    expect(JSON.stringify(held)).not.toMatch(/theirs|vvvv|example\.com/u);
    expect(held.metadata.ownerReferences).toEqual([]);
  });

  test('has its key label and annotations of ours whoever set them', () => {
    const labels = { 'm2moauth.dev/signing-key': 'default', 'app.kubernetes.io/managed-by': 'x' };
    const annotations = {
      'm2moauth.dev/token-id': 'x',
      'm2moauth.dev/client-uid': 'y',
      'm2moauth.dev/renew': 'z',
    };
    const held = cachedSecretMetaOf({
      ...secret([]),
      metadata: { ...secret([]).metadata, labels, annotations },
    });
    expect(held.metadata).toMatchObject({ labels, annotations });
    expect(held.isReduced).toBe(false);
  });
});
