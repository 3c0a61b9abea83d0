import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { type KubeObject, MANAGER, type ManagedFieldsEntry } from '../../../operator/api/meta.ts';
import { buildSecretMeta } from '../../../operator/kube/list-watch.ts';

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
    expect(Object.keys(meta).sort()).toEqual(['apiVersion', 'fields', 'kind', 'metadata']);
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
