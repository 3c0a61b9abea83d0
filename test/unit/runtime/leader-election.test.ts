import { expect, test } from '@jest/globals';
import type { ObjectMeta } from '../../../operator/api/meta.ts';
import { LEASES } from '../../../operator/kube/resource-client.ts';
import { ApiError, type ResourceClient } from '../../../operator/ports/kube.ts';
import type { Lease, LeaseSpec } from '../../../operator/ports/lease.ts';
import { LeaderElection } from '../../../operator/runtime/leader-election.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { recordedLog, recordedMetrics } from '../../support/quiet.ts';

/** An API server that has one Lease; `rejections` is how many creations it answers with a 503. */
const setUp = () => {
  const server: { spec: LeaseSpec | undefined; version: number; rejections: number } = {
    spec: undefined,
    version: 0,
    rejections: 0,
  };
  const answer = (): Lease => {
    if (server.spec === undefined) throw new ApiError('404', { status: 404, reason: 'NotFound' });
    const metadata = { name: 'leader', namespace: 'n', resourceVersion: `${server.version}` } as ObjectMeta;
    return { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata, spec: server.spec };
  };
  const store = (spec: LeaseSpec = {}): Lease => {
    server.spec = spec;
    server.version += 1;
    return answer();
  };
  const leases: Pick<ResourceClient<Lease>, 'get' | 'create' | 'update'> = {
    get: async () => answer(),
    create: async ({ spec }) => {
      if (server.rejections-- > 0) throw new ApiError('503', { status: 503 });
      return store(spec);
    },
    update: async ({ spec }) => {
      answer();
      return store(spec);
    },
  };
  const clock = new FakeClock();
  const found: string[][] = [];
  const election = new LeaderElection({
    leases: { ...leases, type: LEASES } as ResourceClient<Lease>,
    lease: { namespace: 'n', name: 'leader' },
    identity: 'us',
    leaseDurationMs: 15_000,
    renewDeadlineMs: 10_000,
    retryPeriodMs: 2_000,
    clock,
    random: () => 0.5,
    log: recordedLog(),
    metrics: recordedMetrics(),
    rewinds: {
      found: ({ resource, knownVersion, foundVersion }) =>
        void found.push([resource, knownVersion, foundVersion]),
    },
  });
  return { server, clock, election, found };
};

test('a Lease that was deleted, and can’t be recreated at once, is recreated by its holder', async () => {
  const { server, clock, election } = setUp();
  const stop = new AbortController();
  await election.acquire(stop.signal);
  const held = election.hold(stop.signal);
  server.spec = undefined;
  server.rejections = 1;
  await clock.advance(2_000);
  expect([server.spec, election.isLeader()]).toEqual([undefined, true]);
  await clock.advance(2_000);
  expect(server.spec).toMatchObject({ holderIdentity: 'us' });
  stop.abort();
  expect(await held).toBe('aborted');
});

test('a Lease that was deleted, and can not be made anew in time, is lost', async () => {
  const { server, clock, election } = setUp();
  const stop = new AbortController();
  await election.acquire(stop.signal);
  const held = election.hold(stop.signal);
  server.spec = undefined;
  server.rejections = 100;
  await clock.advance(10_000);
  expect(await held).toBe('lost');
});

test('a Lease that goes back to an earlier version shows that the API server was put back', async () => {
  const { server, clock, election, found } = setUp();
  const stop = new AbortController();
  server.version = 90;
  await election.acquire(stop.signal);
  const held = election.hold(stop.signal);
  await clock.advance(2_000);
  expect(found).toEqual([]);
  server.version = 40;
  await clock.advance(2_000);
  expect(found).toEqual([['leases', '92', '41']]);
  expect(election.isLeader()).toBe(true);
  stop.abort();
  await held;
});
