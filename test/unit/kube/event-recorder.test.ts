import { expect, test } from '@jest/globals';
import type { KubeClient, KubeRequest } from '../../../operator/kube/client.ts';
import { ApiEventRecorder } from '../../../operator/kube/event-recorder.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { recordedLog, recordedMetrics } from '../../support/quiet.ts';

const setUp = () => {
  const written: string[] = [];
  const metrics = recordedMetrics();
  const clock = new FakeClock();
  const request = async ({ path }: KubeRequest): Promise<unknown> =>
    written.push(path.split('/')[5] ?? '') && undefined;
  const recorder = new ApiEventRecorder({
    client: { request } as unknown as KubeClient,
    clock,
    random: () => 0.5,
    log: recordedLog(),
    metrics,
    instance: 'pod-1',
  });
  const record = (namespace: string, name: string): void => {
    const metadata = { name, namespace, uid: name, resourceVersion: '1', creationTimestamp: '' };
    recorder.record({
      regarding: { apiVersion: 'v1', kind: 'ConfigMap', metadata },
      type: 'Normal',
      reason: 'Issued',
      action: 'Issue',
      note: 'issued',
    });
  };
  const dropped = () => metrics.calls.filter(([name]) => name === 'eventDropped').length;
  return { written, clock, record, dropped };
};

test('the Event of one namespace does not wait behind those of another', async () => {
  const { written, clock, record } = setUp();
  for (let n = 0; n < 900; n += 1) record('flood', `f${n}`);
  await clock.advance(1_000);
  const before = written.length;
  record('quiet', 'q');
  await clock.advance(300);
  expect(written.slice(before)).toContain('quiet');
});

test('a namespace that fills what may wait loses its newest Event, and no other one any', async () => {
  const { written, clock, record, dropped } = setUp();
  for (let n = 0; n < 1_500; n += 1) record('flood', `f${n}`);
  const before = dropped();
  expect(before).toBeGreaterThan(0);
  record('quiet', 'q');
  expect(dropped()).toBe(before + 1);
  await clock.advance(1_000);
  expect(written).toContain('quiet');
});
