import { afterAll, describe, expect, test } from '@jest/globals';
import { bodyOf, testApi } from '../../support/api.ts';
import { eventually } from '../../support/eventually.ts';

const api = testApi();
afterAll(api.close);

describe('the cluster that integration tests share', () => {
  test('stores an object in a new namespace', async () => {
    const namespace = await api.createNamespace();
    const config = {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'a', namespace },
      data: { k: 'v' },
    };

    expect((await api.create(config)).status).toBe(201);

    expect(bodyOf(await api.get(config))).toMatchObject({ data: { k: 'v' } });
  });

  test('ends the children of a deleted owner', async () => {
    const namespace = await api.createNamespace();
    const configMap = (name: string, extra = {}) => ({
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name, namespace, ...extra },
    });
    const owner = bodyOf(await api.create(configMap('owner')));
    const { apiVersion, kind, metadata } = owner;
    const ownerReferences = [{ apiVersion, kind, name: metadata.name, uid: metadata.uid }];
    const child = bodyOf(await api.create(configMap('child', { ownerReferences })));

    await api.delete(owner);

    await eventually(async () => expect((await api.get(child)).status).toBe(404));
  });
});
