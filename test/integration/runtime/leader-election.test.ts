import { afterAll, describe, expect, test } from '@jest/globals';
import { CONFIG_MAPS, createResourceClient, LEASES } from '../../../operator/kube/resource-client.ts';
import { systemClock } from '../../../operator/ops/system-clock.ts';
import type { MonotonicClock } from '../../../operator/ports/clock.ts';
import type { Lease } from '../../../operator/ports/lease.ts';
import { LeaderElection } from '../../../operator/runtime/leader-election.ts';
import { Rewinds } from '../../../operator/runtime/rewinds.ts';
import { bodyOf, type KubeObject, testApi } from '../../support/api.ts';
import { eventually } from '../../support/eventually.ts';
import { openKube } from '../../support/kube.ts';
import { startTcpProxy } from '../../support/tcp-proxy.ts';

const api = testApi();
afterAll(api.close);

const leaseOf = (namespace: string) => ({
  apiVersion: 'coordination.k8s.io/v1',
  kind: 'Lease',
  metadata: { name: 'leader', namespace },
});

const TIMES = { leaseDurationMs: 3_000, renewDeadlineMs: 2_000, retryPeriodMs: 100 };
/** As the API server stores what client-go sends: six digits, always. */
const MICRO_TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/u;

/** One candidate with a separate connection; `crash` ends it as kill -9 does. */
const candidate = async (namespace: string, identity: string, clock: MonotonicClock = systemClock) => {
  const proxy = await startTcpProxy(api.server);
  const kube = openKube({ server: proxy.url });
  const election = new LeaderElection({
    leases: createResourceClient<Lease>(kube.client, LEASES),
    lease: { namespace, name: 'leader' },
    identity,
    ...TIMES,
    clock,
    random: Math.random,
    log: kube.log,
    metrics: kube.metrics,
    rewinds: new Rewinds(kube.log),
  });
  const stop = new AbortController();
  return {
    election,
    kube,
    proxy,
    signal: stop.signal,
    crash: () => stop.abort(),
    [Symbol.asyncDispose]: async () => {
      stop.abort();
      await kube.close();
      await proxy.close();
    },
  };
};

const readLease = async (namespace: string): Promise<KubeObject> => bodyOf(await api.get(leaseOf(namespace)));

describe('a lease', () => {
  test('is written as client-go writes it', async () => {
    const namespace = await api.createNamespace();
    await using a = await candidate(namespace, 'a');
    expect(await a.election.acquire(a.signal)).toBe(true);
    const { spec } = await readLease(namespace);
    expect(spec).toEqual({
      holderIdentity: 'a',
      leaseDurationSeconds: 3,
      leaseTransitions: 0,
      acquireTime: expect.stringMatching(MICRO_TIME),
      renewTime: expect.stringMatching(MICRO_TIME),
    });
  });

  test('is renewed, and only renewTime moves', async () => {
    const namespace = await api.createNamespace();
    await using a = await candidate(namespace, 'a');
    await a.election.acquire(a.signal);
    const first = (await readLease(namespace)).spec;
    void a.election.hold(a.signal);
    await eventually(async () => {
      const { spec } = await readLease(namespace);
      expect(spec.renewTime > first.renewTime).toBe(true);
      expect({ ...spec, renewTime: '' }).toEqual({ ...first, renewTime: '' });
    });
    expect(a.election.isLeader()).toBe(true);
  });

  test('has one holder when two candidates try at once', async () => {
    const namespace = await api.createNamespace();
    await using a = await candidate(namespace, 'a');
    await using b = await candidate(namespace, 'b');
    const both = [a, b].map(({ election, signal }) => election.acquire(signal));
    await Promise.race(both);
    await eventually(() => expect([a, b].filter(({ election }) => election.isLeader())).toHaveLength(1));
    const { holderIdentity } = (await readLease(namespace)).spec;
    expect(a.election.isLeader()).toBe(holderIdentity === 'a');
    expect(b.election.isLeader()).toBe(holderIdentity === 'b');
  });

  test('that is released goes to the next within a few retry periods', async () => {
    const namespace = await api.createNamespace();
    await using a = await candidate(namespace, 'a');
    await using b = await candidate(namespace, 'b');
    await a.election.acquire(a.signal);
    const next = b.election.acquire(b.signal);
    await a.election.release();
    expect(a.election.isLeader()).toBe(false);
    const releasedAt = performance.now();
    expect(await next).toBe(true);
    expect(performance.now() - releasedAt).toBeLessThan(TIMES.leaseDurationMs);
    expect((await readLease(namespace)).spec).toMatchObject({ holderIdentity: 'b', leaseTransitions: 1 });
  });

  test('of a leader that was killed goes to the next after its duration, never before', async () => {
    const namespace = await api.createNamespace();
    await using a = await candidate(namespace, 'a');
    await using b = await candidate(namespace, 'b');
    await a.election.acquire(a.signal);
    const next = b.election.acquire(b.signal);
    // Looked at without a pause: at no moment do both believe that they lead.
    let overlapped = false;
    const look = setInterval(() => {
      overlapped ||= a.election.isLeader() && b.election.isLeader();
    }, 1);
    a.crash();
    expect(await next).toBe(true);
    clearInterval(look);
    expect(overlapped).toBe(false);
    expect(a.election.isLeader()).toBe(false);
  });

  test('held by a client-go process is respected until it ends, and taken then', async () => {
    const namespace = await api.createNamespace();
    const spec = {
      holderIdentity: 'manager-6d4b75cb6d-hwd49_8c1f5e0c-4f0b-4b51-b6b9-0d7f9c1d7f2e',
      leaseDurationSeconds: 1,
      acquireTime: '2026-01-01T00:00:00.000000Z',
      renewTime: '2026-01-01T00:00:10.123456Z',
      leaseTransitions: 7,
    };
    bodyOf(await api.create({ ...leaseOf(namespace), spec }));
    await using a = await candidate(namespace, 'a');
    const startedAt = performance.now();
    expect(await a.election.acquire(a.signal)).toBe(true);
    expect(performance.now() - startedAt).toBeGreaterThanOrEqual(1_000);
    expect((await readLease(namespace)).spec.leaseTransitions).toBe(8);
  });

  test('is lost when the API server is out of reach for the renew deadline, and writes are rejected at once', async () => {
    const namespace = await api.createNamespace();
    await using a = await candidate(namespace, 'a');
    await a.election.acquire(a.signal);
    const held = a.election.hold(a.signal);
    a.proxy.stall();
    expect(await held).toBe('lost');
    a.proxy.resume();
    const writer = createResourceClient(
      a.kube.client.gated(() => a.election.isLeader()),
      CONFIG_MAPS,
    );
    const object = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'late', namespace } };
    await expect(writer.create(object)).rejects.toMatchObject({ status: 0, reason: 'NotLeader' });
    const { status } = await api.get(object);
    expect(status).toBe(404);
  });

  test('outlives a cut connection', async () => {
    const namespace = await api.createNamespace();
    await using a = await candidate(namespace, 'a');
    await a.election.acquire(a.signal);
    const held = a.election.hold(a.signal);
    a.proxy.refuse();
    await eventually(() => a.kube.log.lines.some(({ message }) => message === 'a call on the lease failed'));
    a.proxy.accept();
    const { renewTime } = (await readLease(namespace)).spec;
    await eventually(async () => (await readLease(namespace)).spec.renewTime > renewTime);
    expect(a.election.isLeader()).toBe(true);
    a.crash();
    expect(await held).toBe('aborted');
  });

  test('that another candidate overwrote is lost at the next renewal', async () => {
    const namespace = await api.createNamespace();
    await using a = await candidate(namespace, 'a');
    await a.election.acquire(a.signal);
    const held = a.election.hold(a.signal);
    bodyOf(
      await api.patch(leaseOf(namespace), 'merge', {
        spec: { holderIdentity: 'admin', leaseDurationSeconds: 60 },
      }),
    );
    expect(await held).toBe('lost');
    expect(a.election.isLeader()).toBe(false);
    expect((await readLease(namespace)).spec.holderIdentity).toBe('admin');
  });

  test('does not count for a process whose event loop hung beyond it, before any timer has run', async () => {
    const namespace = await api.createNamespace();
    let frozenMs = 0;
    const clock: MonotonicClock = { ...systemClock, monotonic: () => systemClock.monotonic() + frozenMs };
    await using a = await candidate(namespace, 'a', clock);
    await a.election.acquire(a.signal);
    expect(a.election.isLeader()).toBe(true);
    frozenMs = TIMES.leaseDurationMs;
    expect(a.election.isLeader()).toBe(false);
  });

  test('keeps the labels that others gave it', async () => {
    const namespace = await api.createNamespace();
    await using a = await candidate(namespace, 'a');
    await a.election.acquire(a.signal);
    bodyOf(await api.patch(leaseOf(namespace), 'merge', { metadata: { labels: { team: 'x' } } }));
    void a.election.hold(a.signal);
    const { renewTime } = (await readLease(namespace)).spec;
    await eventually(async () => {
      const { spec, metadata } = await readLease(namespace);
      expect(spec.renewTime > renewTime).toBe(true);
      expect(metadata.labels).toEqual({ team: 'x' });
    });
  });
});
