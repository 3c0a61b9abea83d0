import { expect, test } from '@jest/globals';
import {
  type CachedIssuedToken,
  ISSUED_INDEXERS,
} from '../../../../operator/domain/record/cached-issued-token.ts';
import { ApiError } from '../../../../operator/ports/kube.ts';
import { ClientPresenceReader } from '../../../../operator/reconcilers/record/client-presence.ts';
import { ISSUED_TOKEN_KIND } from '../../../../operator/reconcilers/record/record-kinds.ts';
import { RecordReconciler } from '../../../../operator/reconcilers/record/record-reconciler.ts';
import { ObjectStore } from '../../../../operator/runtime/object-store.ts';
import { FakeClock } from '../../../support/fake-clock.ts';
import { recordedLog, recordedMetrics } from '../../../support/quiet.ts';
import {
  HOUR,
  makeRecord,
  RANDOM_ID,
  type RecordTraits,
  recordClient,
  SETTINGS,
} from '../../domain/record/issued-token-fixtures.ts';

const KEY = `n/${RANDOM_ID}`;
const { signal } = new AbortController();

/** The reconciler with one record, whose watch delivers nothing: its cache is updated by responses alone. */
const setUp = (traits: RecordTraits, { isOfAnother = false } = {}) => {
  const clock = new FakeClock();
  const log = recordedLog();
  const metrics = recordedMetrics();
  const records = new ObjectStore<CachedIssuedToken>({ log, indexers: ISSUED_INDEXERS });
  records.apply(makeRecord(traits));
  const scheduled: [string, number][] = [];
  const clients = { get: () => recordClient() };
  const reconciler = new RecordReconciler({
    kind: ISSUED_TOKEN_KIND,
    isOfAnother: () => isOfAnother,
    records,
    recordClients: new ClientPresenceReader({
      clients,
      oauthClients: { get: async () => recordClient() },
      clock,
    }),
    objects: {
      writeStatus: async () => makeRecord({ ...traits, blacklistedAt: 0, version: 1, resourceVersion: '2' }),
      delete: async () => {
        throw new ApiError('it is gone', { status: 404, reason: 'NotFound' });
      },
    },
    keyring: { phase: () => 'Active' },
    schedule: { add: (key, at) => scheduled.push([key, at - clock.now()]) },
    settings: SETTINGS,
    clock,
    metrics,
    log,
  });
  return { reconciler, records, scheduled, clock, log, metrics };
};

test('a key of which nothing is known is done', async () => {
  const { reconciler } = setUp({});
  expect(await reconciler.reconcile('n/other', signal)).toEqual({ kind: 'done' });
});

test('a record of a client that belongs to another issuer is left alone, whatever is due', async () => {
  const due = { expiresAt: -10 * HOUR, revoked: true };
  const { reconciler, scheduled, metrics } = setUp(due, { isOfAnother: true });
  expect(await reconciler.reconcile(KEY, signal)).toEqual({ kind: 'done' });
  expect([scheduled, metrics.calls]).toEqual([[], []]);
});

test('a record that has to wait is done, and comes back by the schedule', async () => {
  const { reconciler, scheduled } = setUp({ expiresAt: HOUR });
  expect(await reconciler.reconcile(KEY, signal)).toEqual({ kind: 'done' });
  expect(scheduled).toEqual([[KEY, 2 * HOUR * 1000]]);
});

test('the cache has a blacklisting before its watch delivers it', async () => {
  const { reconciler, records } = setUp({ revoked: true });
  await reconciler.reconcile(KEY, signal);
  expect(records.get(KEY)).toMatchObject({
    version: 1,
    blacklistedAt: makeRecord({ blacklistedAt: 0 }).blacklistedAt,
  });
});

test('the cache removes what is collected, also where another client deleted it first', async () => {
  const { reconciler, records, clock, metrics } = setUp({ expiresAt: HOUR });
  await clock.advance(2 * HOUR * 1000);
  await reconciler.reconcile(KEY, signal);
  expect(records.get(KEY)).toBeUndefined();
  expect(metrics.calls).toEqual([]);
});

test('the log names a blacklisted token, its client, key and cause, and nothing else of it', async () => {
  const { reconciler, log } = setUp({ revoked: true });
  await reconciler.reconcile(KEY, signal);
  expect(log.lines).toEqual([
    {
      level: 'info',
      message: 'blacklisted',
      fields: {
        kind: 'IssuedToken',
        namespace: 'n',
        name: RANDOM_ID,
        client: 'n/app',
        cause: 'Revoked',
        kids: ['k'],
      },
    },
  ]);
});
