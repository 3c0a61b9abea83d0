import { expect, test } from '@jest/globals';
import type { ObjectMeta } from '../../../../operator/api/meta.ts';
import type { SigningKey } from '../../../../operator/api/signing-key.ts';
import { announcementOf } from '../../../../operator/domain/client/installation.ts';
import { ApiError } from '../../../../operator/ports/kube.ts';
import type { Lease } from '../../../../operator/ports/lease.ts';
import { Installations } from '../../../../operator/reconcilers/oauth-client/installations.ts';
import { FakeClock } from '../../../support/fake-clock.ts';
import { recordedLog } from '../../../support/quiet.ts';

const OWN = 'https://own.example';
const BEFORE = 'https://before.example';

const setUp = () => {
  const clock = new FakeClock();
  const log = recordedLog();
  const conflicts: string[] = [];
  const state = {
    leases: [] as Lease[],
    kids: { second: ['k2'], tenant: [] } as Record<string, string[]>,
    failure: undefined as Error | undefined,
    hold: undefined as Promise<void> | undefined,
    reads: 0,
    isLeading: true,
  };
  const installations = new Installations({
    namespace: 'first',
    urls: { url: OWN, previousURLs: [BEFORE] },
    listLeases: async () => {
      state.reads += 1;
      if (state.failure) throw state.failure;
      const { leases, hold } = state;
      await hold;
      return leases;
    },
    listSigningKeys: async () =>
      Object.entries(state.kids).map(([namespace, kids]) => ({
        metadata: { namespace },
        status: { keys: kids.map((kid) => ({ kid })) },
      })) as unknown as SigningKey[],
    onConflict: (why) => void conflicts.push(why),
    isLeading: () => state.isLeading,
    clock,
    log,
  });
  const lease = (namespace: string, url: string, since = '2020-01-01T00:00:00Z'): Lease => ({
    apiVersion: 'coordination.k8s.io/v1',
    kind: 'Lease',
    metadata: {
      name: 'm2m-oauth-operator',
      namespace,
      creationTimestamp: since,
      annotations: announcementOf({ url, watchNamespaces: [] }),
    } as unknown as ObjectMeta,
    spec: { holderIdentity: 'x', renewTime: new Date(clock.now()).toISOString() },
  });
  return { clock, log, conflicts, state, installations, lease };
};

test('its own Lease is none of another installation', async () => {
  const { state, installations, lease } = setUp();
  state.leases = [lease('first', OWN)];
  expect(await installations.others()).toEqual([]);
});

test('a Lease in a namespace without keys is none: a tenant may have created it', async () => {
  const { state, installations, lease } = setUp();
  state.leases = [lease('second', 'https://b.example'), lease('tenant', 'https://c.example')];
  expect((await installations.others()).map(({ namespace }) => namespace)).toEqual(['second']);
});

test('they are read once, until that is a minute ago or this replica leads', async () => {
  const { clock, state, installations } = setUp();
  installations.start();
  await clock.advance(0);
  await installations.others();
  expect(state.reads).toBe(1);
  await clock.advance(60_000);
  expect(state.reads).toBe(2);
  await installations.others();
  installations.refresh();
  await Promise.all([installations.others(), installations.others()]);
  expect(state.reads).toBe(3);
  state.isLeading = false;
  await clock.advance(180_000);
  expect(state.reads).toBe(3);
  installations.stop();
});

test('a replica that begins to lead reads them at once, though nobody needs them', async () => {
  const { clock, state, installations, lease } = setUp();
  installations.start();
  await clock.advance(0);
  state.leases = [lease('second', 'https://b.example')];
  installations.refresh();
  await clock.advance(0);
  expect(installations.known).toHaveLength(1);
  state.failure = new ApiError('no', { status: 503 });
  installations.refresh();
  await clock.advance(0);
  expect(installations.known).toHaveLength(1);
  installations.stop();
});

test('one that comes or goes is reported', async () => {
  const { clock, state, installations, lease } = setUp();
  let changes = 0;
  installations.onChange(() => {
    changes += 1;
  });
  installations.start();
  await clock.advance(0);
  expect(changes).toBe(0);
  state.leases = [lease('second', 'https://b.example')];
  await clock.advance(60_000);
  expect(changes).toBe(1);
  await clock.advance(400_000);
  expect([changes, installations.known]).toEqual([2, []]);
  installations.stop();
});

test('without the permission there are none, which the log says once', async () => {
  const { state, installations, log } = setUp();
  state.failure = new ApiError('no', { status: 403, reason: 'Forbidden' });
  expect(await installations.others()).toEqual([]);
  installations.refresh();
  expect(await installations.others()).toEqual([]);
  expect(log.lines.filter(({ message }) => message.includes('rbac.installations'))).toHaveLength(1);
});

test('while the API server does not answer they are unknown, or as before', async () => {
  const { state, installations } = setUp();
  state.failure = new ApiError('no', { status: 503 });
  await expect(installations.others()).rejects.toThrow('no');
  expect(installations.known).toBeUndefined();
});

test('an older one with the same URL ends this one, once', async () => {
  const { conflicts, state, installations, lease } = setUp();
  state.leases = [lease('second', OWN)];
  await installations.others();
  installations.refresh();
  await installations.others();
  expect(conflicts).toEqual([expect.stringContaining('namespace second')]);
});

test('a younger one with a URL of before does not end this one, whose Lease may be old; the log says so once', async () => {
  const { clock, conflicts, state, installations, lease, log } = setUp();
  const own = lease('first', OWN);
  await clock.advance(600_000);
  state.leases = [own, lease('second', BEFORE, '2021-01-01T00:00:00Z')];
  await installations.others();
  installations.refresh();
  await installations.others();
  expect(conflicts).toEqual([]);
  const errors = log.lines.filter(({ message }) => message.includes('must not run beside this one'));
  expect(errors).toHaveLength(1);
  expect(errors[0]).toMatchObject({ level: 'error', fields: { why: expect.stringContaining(BEFORE) } });
});

test('a read that ends after a later one does not undo what that one found', async () => {
  const { state, installations, lease } = setUp();
  const changes: number[] = [];
  installations.onChange(() => void changes.push(installations.known?.length ?? 0));
  const slow = Promise.withResolvers<void>();
  state.hold = slow.promise;
  const earlier = installations.others();
  state.hold = undefined;
  state.leases = [lease('second', 'https://b.example')];
  installations.refresh();
  const later = await installations.others();
  slow.resolve();
  expect(await earlier).toEqual(later);
  expect(installations.known).toEqual(later);
  expect(changes).toEqual([1]);
});
