import { afterAll, describe, expect, test } from '@jest/globals';
import type { KubeObject } from '../../../operator/api/meta.ts';
import { listWatchObjects } from '../../../operator/kube/list-watch.ts';
import { CONFIG_MAPS, createResourceClient, LEASES } from '../../../operator/kube/resource-client.ts';
import { systemClock } from '../../../operator/ops/system-clock.ts';
import type { Lease } from '../../../operator/ports/lease.ts';
import { Controller, DONE, type ReconcileResult } from '../../../operator/runtime/controller.ts';
import { Informer } from '../../../operator/runtime/informer.ts';
import { LeaderElection } from '../../../operator/runtime/leader-election.ts';
import { type Component, Manager } from '../../../operator/runtime/manager.ts';
import { Rewinds } from '../../../operator/runtime/rewinds.ts';
import { bodyOf, testApi } from '../../support/api.ts';
import { eventually } from '../../support/eventually.ts';
import { openKube } from '../../support/kube.ts';
import { startTcpProxy } from '../../support/tcp-proxy.ts';

const api = testApi();
afterAll(api.close);

/** One replica: an informer on ConfigMaps, a controller, a server, a lease. `diary` is what happened, in order. */
const replica = async (
  namespace: string,
  reconcile?: (key: string, signal: AbortSignal) => Promise<ReconcileResult>,
) => {
  const proxy = await startTcpProxy(api.server);
  const kube = openKube({ server: proxy.url });
  const surroundings = {
    clock: systemClock,
    random: Math.random,
    log: kube.log,
    metrics: kube.metrics,
    rewinds: new Rewinds(kube.log),
  };
  const diary: string[] = [];
  const election = new LeaderElection({
    ...surroundings,
    leases: createResourceClient<Lease>(kube.client, LEASES),
    lease: { namespace, name: 'leader' },
    identity: `${Math.random()}`,
    leaseDurationMs: 5_000,
    renewDeadlineMs: 2_000,
    retryPeriodMs: 100,
  });
  const informer = new Informer<KubeObject>({
    ...surroundings,
    name: 'configmaps',
    sources: [{ namespace, listWatch: listWatchObjects(kube.client, CONFIG_MAPS, { namespace }) }],
  });
  const controller = new Controller({
    defer: setImmediate,
    ...surroundings,
    name: 'configmap',
    concurrency: 1,
    reconcile: async (key, signal) => {
      diary.push('reconcile');
      return reconcile ? reconcile(key, signal) : DONE;
    },
    seed: () => informer.cache.keys(),
  });
  informer.cache.onChange(({ key }) => controller.queue.add(key));
  const component = (name: string): Component => ({
    name,
    start: () => void diary.push(`${name} starts${informer.cache.synced ? ' synced' : ''}`),
    stop: () => void diary.push(`${name} stops${election.isLeader() ? ' leading' : ''}`),
  });
  const manager = new Manager({
    base: [component('probes')],
    caches: [informer],
    servers: [component('server')],
    gates: [async () => void diary.push(`gate passed${informer.cache.synced ? ' synced' : ''}`)],
    controllers: [controller],
    election,
    clock: systemClock,
    log: kube.log,
    drainMs: 3_000,
  });
  const stop = new AbortController();
  const ended = manager.run(stop.signal);
  return {
    diary,
    manager,
    election,
    proxy,
    ended,
    stop: () => stop.abort(),
    [Symbol.asyncDispose]: async () => {
      stop.abort();
      await ended.catch(() => undefined);
      await kube.close();
      await proxy.close();
    },
  };
};

describe('a manager', () => {
  test('starts and stops in order: probes, servers, caches, gates, lease, controllers, and back', async () => {
    const namespace = await api.createNamespace();
    await using one = await replica(namespace);
    await eventually(() => expect(one.diary).toContain('reconcile'));
    expect(one.manager.ready).toBe(true);
    one.stop();
    expect(await one.ended).toBe('stopped');
    expect(one.manager.ready).toBe(false);
    const steps = one.diary.filter((step) => step !== 'reconcile');
    expect(steps).toEqual([
      'probes starts',
      'server starts',
      'gate passed synced',
      'server stops',
      'probes stops',
    ]);
  });

  test('lets a reconcile end before it releases the lease, and the next replica goes on at once', async () => {
    const namespace = await api.createNamespace();
    const gate = Promise.withResolvers<void>();
    let signalAtEnd: boolean | undefined;
    await using one = await replica(namespace, async (_key, signal) => {
      await gate.promise;
      signalAtEnd = signal.aborted;
      return DONE;
    });
    await eventually(() => expect(one.diary).toContain('reconcile'));
    await using two = await replica(namespace);
    await eventually(() => two.manager.ready);
    one.stop();
    await eventually(() => expect(one.election.isLeader()).toBe(true));
    expect(two.diary).not.toContain('reconcile');
    gate.resolve();
    expect(await one.ended).toBe('stopped');
    expect(signalAtEnd).toBe(false);
    await eventually(() => expect(two.diary).toContain('reconcile'), { timeoutMs: 4_000 });
  });

  test('aborts reconciles at once when the lease is lost, and ends', async () => {
    const namespace = await api.createNamespace();
    let reason: unknown;
    await using one = await replica(
      namespace,
      (_key, signal) =>
        new Promise((_resolve, reject) =>
          signal.addEventListener('abort', () => {
            reason = signal.reason;
            reject(reason);
          }),
        ),
    );
    await eventually(() => expect(one.diary).toContain('reconcile'));
    one.proxy.stall();
    expect(await one.ended).toBe('lost-lease');
    expect(reason).toEqual(new Error('the lease is lost'));
    expect(one.diary.slice(-2)).toEqual(['server stops', 'probes stops']);
  });

  test('serves without leading: a second replica has its caches and its server, and does not reconcile', async () => {
    const namespace = await api.createNamespace();
    await using one = await replica(namespace);
    await eventually(() => one.election.isLeader());
    await using two = await replica(namespace);
    await eventually(() => two.manager.ready);
    bodyOf(await api.create({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'x', namespace } }));
    await eventually(() =>
      expect(one.diary.filter((step) => step === 'reconcile').length).toBeGreaterThan(1),
    );
    expect(two.diary).toEqual(['probes starts', 'server starts', 'gate passed synced']);
  });

  test('ends well when it is stopped before its caches could sync', async () => {
    const namespace = await api.createNamespace();
    await using one = await replica(namespace);
    one.proxy.refuse();
    one.stop();
    expect(await one.ended).toBe('stopped');
  });
});
