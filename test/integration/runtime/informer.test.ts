import { afterAll, describe, expect, test } from '@jest/globals';
import type { KubeObject } from '../../../operator/api/meta.ts';
import { listWatchObjects } from '../../../operator/kube/list-watch.ts';
import { CONFIG_MAPS } from '../../../operator/kube/resource-client.ts';
import { ApiError } from '../../../operator/ports/kube.ts';
import type { ListWatch } from '../../../operator/ports/watch.ts';
import { bodyOf, testApi } from '../../support/api.ts';
import { eventually } from '../../support/eventually.ts';
import { openKube } from '../../support/kube.ts';
import { startTcpProxy } from '../../support/tcp-proxy.ts';
import { watch } from '../../support/watched.ts';

interface ConfigMap extends KubeObject {
  readonly data?: Readonly<Record<string, string>>;
}

const api = testApi();
afterAll(api.close);

const configMap = (namespace: string, name: string, data: Record<string, string> = {}) => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name, namespace },
  data,
});

const selectNew = { fieldSelector: 'metadata.name!=kube-root-ca.crt' };

/** A namespace, and an informer on its ConfigMaps through a proxy that the test can cut. */
const setUp = async (wrap: (source: ListWatch<ConfigMap>) => ListWatch<ConfigMap> = (source) => source) => {
  const namespace = await api.createNamespace();
  const proxy = await startTcpProxy(api.server);
  const kube = openKube({ server: proxy.url });
  const source = wrap(listWatchObjects<ConfigMap>(kube.client, CONFIG_MAPS, { namespace, ...selectNew }));
  return {
    namespace,
    proxy,
    kube,
    start: (onChange?: () => void) => watch(kube, source, { namespace, ...(onChange && { onChange }) }),
    [Symbol.asyncDispose]: async () => {
      await kube.close();
      await proxy.close();
    },
  };
};

/** A source whose server knows no watch-list: the answer that kube-apiserver gives with the feature off. */
const withoutWatchList = (source: ListWatch<ConfigMap>): ListWatch<ConfigMap> => ({
  ...source,
  watch: (options) =>
    options.initialEvents
      ? Promise.reject(new ApiError('sendInitialEvents is forbidden', { status: 422, reason: 'Invalid' }))
      : source.watch(options),
});

const createMany = async (namespace: string, names: readonly string[]) => {
  for (const name of names) bodyOf(await api.create(configMap(namespace, name)));
};

describe.each([
  ['with watch-list', undefined],
  ['with paged lists', withoutWatchList],
])('an informer %s', (_name, wrap) => {
  test('has what was there before, and follows what is created, changed and deleted', async () => {
    await using env = await setUp(wrap);
    const { namespace } = env;
    await createMany(namespace, ['before']);
    await using watched = await env.start();
    expect(watched.reported()).toEqual(['set before']);
    await createMany(namespace, ['later']);
    bodyOf(await api.replace(configMap(namespace, 'before', { k: 'v' })));
    bodyOf(await api.delete(configMap(namespace, 'later')));
    await eventually(() =>
      expect(watched.reported()).toEqual(['set before', 'set later', 'set before', 'delete later']),
    );
    expect(watched.informer.cache.get(`${namespace}/before`)?.data).toEqual({ k: 'v' });
  });

  test('loses nothing when the connection is cut, and lists nothing twice', async () => {
    await using env = await setUp(wrap);
    const { namespace, proxy } = env;
    await createMany(namespace, ['a', 'b']);
    await using watched = await env.start();
    proxy.refuse();
    await createMany(namespace, ['c']);
    bodyOf(await api.delete(configMap(namespace, 'a')));
    proxy.accept();
    await eventually(() => expect(watched.reported()).toEqual(['set a', 'set b', 'set c', 'delete a']));
    const lists = env.kube.metrics.calls.filter((call) => call[0] === 'apiRequest' && call[1] === 'list');
    expect(lists).toHaveLength(wrap ? 1 : 0);
    expect(watched.restarts()).not.toContain('expired');
  });
});

describe('an informer', () => {
  test('sees one deleted and made anew while it was cut off as a deletion and an addition', async () => {
    await using env = await setUp();
    const { namespace, proxy } = env;
    await createMany(namespace, ['a']);
    await using watched = await env.start();
    proxy.refuse();
    bodyOf(await api.delete(configMap(namespace, 'a')));
    await createMany(namespace, ['a']);
    proxy.accept();
    await eventually(() => expect(watched.reported()).toEqual(['set a', 'delete a', 'set a']));
  });

  test('goes on when a handler throws', async () => {
    await using env = await setUp();
    await using watched = await env.start(() => {
      throw new Error('bad handler');
    });
    await createMany(env.namespace, ['a', 'b']);
    await eventually(() => expect(watched.reported()).toEqual(['set a', 'set b']));
    expect(env.kube.log.lines.filter(({ level }) => level === 'error')).toHaveLength(2);
  });

  test('takes what a write answered before its event comes, and the echo changes nothing', async () => {
    await using env = await setUp();
    const { namespace, proxy } = env;
    await using watched = await env.start();
    proxy.stall();
    const written = bodyOf(await api.create(configMap(namespace, 'a'))) as unknown as ConfigMap;
    watched.informer.cache.putIfNewer(written);
    expect(watched.reported()).toEqual(['set a']);
    proxy.resume();
    await createMany(namespace, ['b']);
    await eventually(() => expect(watched.reported()).toEqual(['set a', 'set b']));
  });

  test('pages through a long list with the continue token', async () => {
    await using env = await setUp();
    const { namespace, kube } = env;
    const names = Array.from({ length: 25 }, (_, i) => `c${i}`);
    await createMany(namespace, names);
    const source = listWatchObjects<ConfigMap>(kube.client, CONFIG_MAPS, { namespace, ...selectNew });
    const paged = withoutWatchList({ ...source, list: (options) => source.list({ ...options, limit: 10 }) });
    await using watched = await watch(kube, paged, { namespace });
    expect(watched.informer.cache.size).toBe(25);
    const lists = kube.metrics.calls.filter((call) => call[0] === 'apiRequest' && call[1] === 'list');
    expect(lists).toHaveLength(3);
  });

  test('notices a connection that is silent without being closed, and gets another', async () => {
    await using env = await setUp();
    const { namespace, proxy } = env;
    await using watched = await env.start();
    const before = watched.informer.health.lastContact;
    await eventually(() => expect(watched.informer.health.lastContact).toBeGreaterThan(before), {
      timeoutMs: 8_000,
    });
    const accepted = proxy.accepted;
    proxy.stall();
    await eventually(() => expect(watched.restarts()).toContain('error'), { timeoutMs: 25_000 });
    proxy.resume();
    await createMany(namespace, ['a']);
    await eventually(() => expect(watched.reported()).toEqual(['set a']));
    expect(proxy.accepted).toBeGreaterThan(accepted);
  }, 45_000);
});
