import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { listWatchObjects } from '../../../operator/kube/list-watch.ts';
import { CONFIG_MAPS } from '../../../operator/kube/resource-client.ts';
import type { ConfigMap } from '../../../operator/ports/config-maps.ts';
import type { ListWatch } from '../../../operator/ports/watch.ts';
import { type Cluster, startCluster } from '../../cluster/cluster.ts';
import { bodyOf, type TestApi, testApi } from '../../support/api.ts';
import { eventually } from '../../support/eventually.ts';
import { openKube } from '../../support/kube.ts';
import { startTcpProxy } from '../../support/tcp-proxy.ts';
import { watch } from '../../support/watched.ts';

const namespace = 'default';
const selectNew = { fieldSelector: 'metadata.name!=kube-root-ca.crt' };

const configMap = (name: string) => ({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace } });

/** An informer on the ConfigMaps of one namespace, through a proxy, with nothing of earlier tests in it. */
const setUp = async (cluster: Cluster, api: TestApi) => {
  for (const { metadata } of bodyOf(await api.list(configMap(''))).items) {
    if (metadata.name !== 'kube-root-ca.crt') bodyOf(await api.delete(configMap(metadata.name)));
  }
  bodyOf(await api.create(configMap('stays')));
  bodyOf(await api.create(configMap('goes')));
  const proxy = await startTcpProxy(cluster.url);
  const kube = openKube({ kubeconfig: cluster.kubeconfigPath, server: proxy.url });
  const source = listWatchObjects<ConfigMap>(kube.client, CONFIG_MAPS, { namespace, ...selectNew });
  let lists = 0;
  const counted: ListWatch<ConfigMap> = {
    ...source,
    list: (options) => {
      lists += 1;
      return source.list(options);
    },
  };
  const watched = await watch(kube, counted, { namespace });
  return {
    proxy,
    watched,
    /** Pages that were listed so far. */
    lists: () => lists,
    [Symbol.asyncDispose]: async () => {
      await watched[Symbol.asyncDispose]();
      await kube.close();
      await proxy.close();
    },
  };
};

describe.each([
  ['with watch-list', []],
  ['without the feature WatchList', ['--feature-gates=WatchList=false']],
])('an API server %s', (_name, apiserverFlags) => {
  let cluster: Cluster;
  let api: TestApi;
  beforeAll(async () => {
    cluster = await startCluster({ apiserverFlags });
    api = testApi(cluster.kubeconfigPath);
  }, 60_000);
  afterAll(async () => {
    await api?.close();
    await cluster?.stop();
  });

  test('that is killed and started again costs no event, and no new list where it knows our place', async () => {
    await using env = await setUp(cluster, api);
    const lists = env.lists();
    expect(lists).toBe(apiserverFlags.length === 0 ? 0 : 1);
    await cluster.kill('apiserver');
    await cluster.start('apiserver');
    bodyOf(await api.create(configMap('new')));
    bodyOf(await api.delete(configMap('goes')));
    await eventually(
      () => expect(env.watched.reported()).toEqual(['set goes', 'set stays', 'set new', 'delete goes']),
      {
        timeoutMs: 20_000,
      },
    );
    // Its watch cache begins with its start: where something else was written meanwhile, it may call our place too old.
    const isForgotten = env.watched.restarts().includes('expired');
    if (!isForgotten) expect(env.lists()).toBe(lists);
  }, 60_000);

  test('that forgot the gap (410) is listed again: missed deletions and new lives show', async () => {
    await using env = await setUp(cluster, api);
    env.proxy.refuse();
    bodyOf(await api.delete(configMap('goes')));
    bodyOf(await api.delete(configMap('stays')));
    bodyOf(await api.create(configMap('stays')));
    await cluster.compact();
    env.proxy.accept();
    await eventually(
      () => {
        expect(env.watched.reported()).toHaveLength(5);
        expect(env.watched.reported()).toEqual(
          expect.arrayContaining(['set goes', 'set stays', 'delete goes', 'delete stays']),
        );
      },
      { timeoutMs: 20_000 },
    );
    const stays = env.watched.reported().filter((line) => line.endsWith('stays'));
    expect(stays).toEqual(['set stays', 'delete stays', 'set stays']);
    expect(env.watched.restarts()).toContain('expired');
  }, 60_000);

  test.each([
    ['earlier', false],
    ['earlier, with raised revisions', true],
  ])('whose etcd is put back to a state that is %s is listed again', async (_name, isRaised) => {
    await using env = await setUp(cluster, api);
    bodyOf(await api.create({ ...configMap('changed'), data: { is: 'before' } }));
    bodyOf(await api.create(configMap('deleted')));
    const backup = await cluster.backUp();
    await eventually(async () => bodyOf(await api.delete(configMap('deleted'))));
    bodyOf(await api.apply({ ...configMap('changed'), data: { is: 'later' } }, { query: { force: true } }));
    bodyOf(await api.create(configMap('created')));
    const { cache } = env.watched.informer;
    const known = () => [...cache.values()].map(({ metadata, data }) => [metadata.name, data?.is]).sort();
    await eventually(() =>
      expect(known()).toEqual([
        ['changed', 'later'],
        ['created', undefined],
        ['goes', undefined],
        ['stays', undefined],
      ]),
    );
    // The parts that start write some revisions of their own.
    await cluster.advance(2_000);
    await cluster.restore(backup, { isRaised });
    await eventually(() =>
      expect(known()).toEqual([
        ['changed', 'before'],
        ['deleted', undefined],
        ['goes', undefined],
        ['stays', undefined],
      ]),
    );
    bodyOf(await api.create(configMap('after')));
    await eventually(() => expect(cache.get(`${namespace}/after`)).toBeDefined());
  });

  test('whose etcd dies is followed on when it is back', async () => {
    await using env = await setUp(cluster, api);
    await cluster.kill('etcd');
    await cluster.start('etcd');
    await eventually(async () => bodyOf(await api.create(configMap('new'))), { timeoutMs: 20_000 });
    await eventually(() => expect(env.watched.reported()).toContain('set new'), { timeoutMs: 20_000 });
  }, 60_000);
});
