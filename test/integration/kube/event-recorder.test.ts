import { afterAll, describe, expect, test } from '@jest/globals';
import type { KubeObject } from '../../../operator/api/meta.ts';
import { ApiEventRecorder } from '../../../operator/kube/event-recorder.ts';
import { systemClock } from '../../../operator/ops/system-clock.ts';
import { bodyOf, type KubeObject as Seen, testApi } from '../../support/api.ts';
import { eventually } from '../../support/eventually.ts';
import { FakeClock, settle } from '../../support/fake-clock.ts';
import { openKube } from '../../support/kube.ts';
import { startTcpProxy } from '../../support/tcp-proxy.ts';

const api = testApi();
afterAll(api.close);

const EVENT = { apiVersion: 'events.k8s.io/v1', kind: 'Event' };

const regarding = (namespace: string, name = 'thing'): KubeObject => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: {
    name,
    namespace,
    uid: '5f0c3b9e-6a6b-4d5e-8f0e-2f8f6f1d2c3b',
    resourceVersion: '1',
    creationTimestamp: '2026-01-01T00:00:00Z',
  },
});

const note = (namespace: string, text = 'JWT issued', name = 'thing') => ({
  regarding: regarding(namespace, name),
  type: 'Normal' as const,
  reason: 'Issued',
  action: 'Issue',
  note: text,
});

const setUp = async (clock = systemClock as typeof systemClock | FakeClock) => {
  const namespace = await api.createNamespace();
  const proxy = await startTcpProxy(api.server);
  const kube = openKube({ server: proxy.url });
  const { client, log, metrics } = kube;
  const recorder = new ApiEventRecorder({
    client,
    clock,
    random: Math.random,
    log,
    metrics,
    instance: 'pod-1',
  });
  const events = async (): Promise<readonly Seen[]> =>
    bodyOf(await api.list({ ...EVENT, metadata: { name: '', namespace } })).items;
  return {
    namespace,
    recorder,
    proxy,
    events,
    dropped: () => metrics.calls.filter(([name]) => name === 'eventDropped').length,
    [Symbol.asyncDispose]: async () => {
      await recorder.stop(0);
      await kube.close();
      await proxy.close();
    },
  };
};

describe('an event recorder', () => {
  test('writes what kubectl describe shows', async () => {
    await using env = await setUp();
    env.recorder.record(note(env.namespace));
    await eventually(async () => expect(await env.events()).toHaveLength(1));
    const [event] = await env.events();
    expect(event).toMatchObject({
      reason: 'Issued',
      action: 'Issue',
      type: 'Normal',
      note: 'JWT issued',
      reportingController: 'm2moauth.dev/operator',
      reportingInstance: 'pod-1',
      regarding: { kind: 'ConfigMap', name: 'thing', namespace: env.namespace },
    });
  });

  test('counts repeats on one Event, and keeps another note apart', async () => {
    await using env = await setUp();
    env.recorder.record(note(env.namespace));
    await eventually(async () => expect(await env.events()).toHaveLength(1));
    for (let i = 0; i < 9; i++) env.recorder.record(note(env.namespace));
    env.recorder.record(note(env.namespace, 'something else'));
    await eventually(async () => {
      const counts = (await env.events()).map((event) => [event.note, event.series?.count]);
      expect(counts.sort()).toEqual([
        ['JWT issued', 10],
        ['something else', undefined],
      ]);
    });
  });

  test('writes a new Event where the old one is gone', async () => {
    await using env = await setUp();
    env.recorder.record(note(env.namespace));
    await eventually(async () => expect(await env.events()).toHaveLength(1));
    const [first] = await env.events();
    bodyOf(
      await api.delete({
        ...EVENT,
        metadata: { name: first?.metadata.name ?? '', namespace: env.namespace },
      }),
    );
    env.recorder.record(note(env.namespace));
    await eventually(async () => {
      const [second] = await env.events();
      expect(second?.metadata.uid).not.toBe(first?.metadata.uid);
      expect(second?.series?.count).toBe(2);
    });
  });

  test('drops beyond a thousand that wait, counts what it dropped, and never throws', async () => {
    const clock = new FakeClock();
    await using env = await setUp(clock);
    env.proxy.refuse();
    for (let i = 0; i < 1_500; i++) env.recorder.record(note(env.namespace, `note ${i}`));
    await settle();
    expect(env.dropped()).toBeGreaterThanOrEqual(499);
    expect(env.dropped()).toBeLessThanOrEqual(500);
    env.recorder.record(note(env.namespace, 'note 7'));
  });

  test('writes a hundred at once and then ten a second', async () => {
    const clock = new FakeClock();
    await using env = await setUp(clock);
    for (let i = 0; i < 130; i++) env.recorder.record(note(env.namespace, `note ${i}`));
    await eventually(async () => expect(await env.events()).toHaveLength(100));
    for (const count of [101, 102]) {
      await clock.advance(100);
      await eventually(async () => expect(await env.events()).toHaveLength(count));
    }
  });

  test('gets over an API server that is away for a moment', async () => {
    const clock = new FakeClock();
    await using env = await setUp(clock);
    env.proxy.refuse();
    env.recorder.record(note(env.namespace));
    await eventually(() => expect(clock.pending).toBe(1));
    env.proxy.accept();
    await clock.advance(1_000);
    await eventually(async () => expect(await env.events()).toHaveLength(1));
    expect(env.dropped()).toBe(0);
  });

  test('writes what waits before it stops, and nothing after', async () => {
    const clock = new FakeClock();
    await using env = await setUp(clock);
    for (let i = 0; i < 120; i++) env.recorder.record(note(env.namespace, `note ${i}`));
    await env.recorder.stop(5_000);
    env.recorder.record(note(env.namespace, 'too late'));
    expect(await env.events()).toHaveLength(120);
    expect(env.dropped()).toBe(1);
  });

  test('cuts a name that would be too long for an Event', async () => {
    await using env = await setUp();
    env.recorder.record(note(env.namespace, 'long', 'x'.repeat(253)));
    await eventually(async () => expect(await env.events()).toHaveLength(1));
  });
});
