import { existsSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type Cluster, startCluster } from '../../cluster/cluster.ts';
import { bodyOf, type TestApi, testApi } from '../../support/api.ts';
import { eventually } from '../../support/eventually.ts';

const configMap = (name: string) => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name, namespace: 'default' },
});

describe('a separate cluster', () => {
  let cluster: Cluster;
  let api: TestApi;

  beforeAll(async () => {
    cluster = await startCluster({ apiserverFlags: ['--etcd-compaction-interval=0'] });
    api = testApi(cluster.kubeconfigPath);
  }, 120_000);

  afterAll(async () => {
    await api?.close();
    await cluster?.stop();
  });

  test('is ready when startCluster returns', async () => {
    expect((await api.create(configMap('first'))).status).toBe(201);
    expect(Object.keys(await cluster.pids())).toEqual(['etcd', 'apiserver', 'controllerManager']);
  });

  test.each(['apiserver', 'etcd'] as const)(
    'keeps its objects while %s is killed and started again',
    async (part) => {
      const { metadata } = bodyOf(await api.create(configMap(`before-${part}`)));
      const pidBefore = (await cluster.pids())[part];

      await cluster.kill(part);
      expect((await cluster.pids())[part]).toBeUndefined();
      await cluster.start(part);

      expect((await cluster.pids())[part]).not.toBe(pidBefore);
      await eventually(async () => {
        const kept = bodyOf(await api.get(configMap(`before-${part}`)));
        expect(kept.metadata.uid).toBe(metadata.uid);
        expect((await api.create(configMap(`after-${part}`))).status).toBeLessThan(500);
      });
    },
    60_000,
  );

  test('answers 410 to a resourceVersion from before compact()', async () => {
    const { metadata } = bodyOf(await api.create(configMap('old')));
    bodyOf(await api.create(configMap('new')));
    const listAtOld = () =>
      api.list(configMap(''), {
        query: { resourceVersion: metadata.resourceVersion, resourceVersionMatch: 'Exact' },
      });
    const watchFromOld = () =>
      api.list(configMap(''), {
        query: { watch: true, resourceVersion: metadata.resourceVersion, timeoutSeconds: 1 },
      });
    expect((await listAtOld()).status).toBe(200);

    await cluster.compact();

    expect((await listAtOld()).status).toBe(410);
    expect((await watchFromOld()).body).toMatchObject({
      type: 'ERROR',
      object: { code: 410, reason: 'Expired' },
    });
  }, 60_000);

  test('runs beside another, with separate objects, and stop() leaves nothing behind', async () => {
    const other = await startCluster();
    const otherApi = testApi(other.kubeconfigPath);
    try {
      expect(other.url).not.toBe(cluster.url);
      bodyOf(await api.create(configMap('mine')));
      expect((await otherApi.get(configMap('mine'))).status).toBe(404);
    } finally {
      await otherApi.close();
      await other.stop();
    }

    expect(await other.pids()).toEqual({});
    expect(existsSync(other.dir)).toBe(false);
    expect((await api.get(configMap('mine'))).status).toBe(200);
  }, 60_000);

  test('shows the end of the log of a part that does not start', async () => {
    const failure = startCluster({ apiserverFlags: ['--no-such-flag'] });

    await expect(failure).rejects.toThrow(
      /kube-apiserver ended during its start; the end of its log:.*unknown flag: --no-such-flag/s,
    );
  }, 60_000);
});
