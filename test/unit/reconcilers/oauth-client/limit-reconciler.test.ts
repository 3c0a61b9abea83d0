import { beforeEach, expect, test } from '@jest/globals';
import { findCondition } from '../../../../operator/api/meta.ts';
import type { OAuthClient, OAuthClientStatus } from '../../../../operator/api/oauth-client.ts';
import { formatReport } from '../../../../operator/domain/client/limit-reports.ts';
import {
  ClientLimitReconciler,
  ReportedRejections,
} from '../../../../operator/reconcilers/oauth-client/limit-reconciler.ts';
import type { ObjectStore } from '../../../../operator/runtime/object-store.ts';
import { FakeClock } from '../../../support/fake-clock.ts';
import { recordedLog } from '../../../support/quiet.ts';
import { cacheOf, clientWith, patient } from '../../issuer/clients.ts';

const KEY = 'team/app';
let clock: FakeClock;
let rejected: ReportedRejections;
let clients: ObjectStore<OAuthClient>;
let written: OAuthClientStatus[];
let version: number;
let limits: ClientLimitReconciler;
let isOwn: boolean;

beforeEach(() => {
  clock = new FakeClock();
  rejected = new ReportedRejections(recordedLog());
  const client = clientWith({}, {});
  clients = cacheOf(client);
  written = [];
  isOwn = true;
  version = 1;
  limits = build();
});

const build = () =>
  new ClientLimitReconciler({
    clients,
    oauthClients: {
      updateStatus: async ({ status }) => {
        written.push(status as OAuthClientStatus);
        version += 1;
        return { ...clientWith({}, {}, String(version)), status: status as OAuthClientStatus };
      },
    },
    ownClients: { has: () => isOwn },
    events: { record: () => undefined },
    rejected,
    clock,
  });

const report = (rateExceeded: number): void => {
  const { uid } = clients.get(KEY)?.metadata ?? { uid: '' };
  const since = clock.now() / 1000;
  rejected.set([formatReport([{ client: KEY, uid, since, rateExceeded, activeTokensExceeded: 0 }])]);
};
const reconcile = () => limits.reconcile(KEY, patient);
const messages = (): (string | undefined)[] =>
  written.map(({ conditions }) => findCondition(conditions, 'LimitReached')?.message);

test('of a client that belongs to another issuer nothing is written', async () => {
  isOwn = false;
  report(1);
  expect(await reconcile()).toEqual({ kind: 'done' });
  expect(written).toEqual([]);
});

test('the first rejection is written at once, later ones at most once a minute', async () => {
  report(1);
  expect(await reconcile()).toEqual({ kind: 'done' });
  expect(messages()).toEqual([expect.stringContaining(': 1 (1 by tokensPerSecond)')]);
  report(500);
  expect(await reconcile()).toEqual({ kind: 'requeue', afterMs: 60_000 });
  await clock.advance(59_999);
  expect(await reconcile()).toEqual({ kind: 'requeue', afterMs: 1 });
  await clock.advance(1);
  await reconcile();
  expect(written).toHaveLength(2);
});

test('the condition goes when nothing is reported any more, a minute after the last write at the earliest', async () => {
  report(1);
  await reconcile();
  rejected.set([]);
  expect(await reconcile()).toEqual({ kind: 'requeue', afterMs: 60_000 });
  await clock.advance(60_000);
  await reconcile();
  expect(messages()).toEqual([expect.any(String), undefined]);
});

test('another leader does not write within a minute of its start what the one before may have written', async () => {
  report(1);
  await reconcile();
  limits = build();
  expect(limits.seed()).toEqual([KEY]);
  report(2);
  expect(await reconcile()).toEqual({ kind: 'requeue', afterMs: 60_000 });
  expect(written).toHaveLength(1);
});

test('a clock that is set back delays a write by a minute at most', async () => {
  report(1);
  await reconcile();
  clock.step(-3_600_000);
  report(2);
  expect(await reconcile()).toEqual({ kind: 'requeue', afterMs: 60_000 });
});

test('nothing is written for a client that is gone, or without rejections', async () => {
  await reconcile();
  await limits.reconcile('team/none', patient);
  expect(written).toEqual([]);
});

test('those who listen get the clients of the reports before and now', () => {
  const seen: string[][] = [];
  rejected.onChange((keys) => void seen.push([...keys]));
  rejected.set([]);
  report(1);
  rejected.set([]);
  rejected.set([]);
  expect(seen).toEqual([[KEY], [KEY]]);
});
