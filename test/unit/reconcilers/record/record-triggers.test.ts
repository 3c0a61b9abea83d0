import { expect, test } from '@jest/globals';
import type { OAuthClient } from '../../../../operator/api/oauth-client.ts';
import { isOfAnotherIssuer } from '../../../../operator/domain/client/client-rules.ts';
import {
  type CachedIssuedToken,
  ISSUED_INDEXERS,
} from '../../../../operator/domain/record/cached-issued-token.ts';
import {
  BATCH_INDEXERS,
  type CachedTokenBatch,
} from '../../../../operator/domain/record/cached-token-batch.ts';
import { ClientPresenceReader } from '../../../../operator/reconcilers/record/client-presence.ts';
import { ISSUED_TOKEN_KIND, TOKEN_BATCH_KIND } from '../../../../operator/reconcilers/record/record-kinds.ts';
import { RecordSchedule } from '../../../../operator/reconcilers/record/record-schedule.ts';
import { RecordTriggers } from '../../../../operator/reconcilers/record/record-triggers.ts';
import { ObjectStore } from '../../../../operator/runtime/object-store.ts';
import { FakeClock } from '../../../support/fake-clock.ts';
import { recordedLog } from '../../../support/quiet.ts';
import { batchWith } from '../../domain/record/batch-fixtures.ts';
import {
  CLIENT_UID,
  HOUR,
  makeRecord,
  type RecordTraits,
  recordClient,
  SETTINGS,
} from '../../domain/record/issued-token-fixtures.ts';

const idOf = (n: number): string => `5b2f0f0e-8f0a-4d53-9c1a-${String(n).padStart(12, '0')}`;

const OWN = 'https://own.example';

class FakeRecords {
  readonly clock = new FakeClock();
  readonly records = new ObjectStore<CachedIssuedToken>({ log: recordedLog(), indexers: ISSUED_INDEXERS });
  readonly clients = new ObjectStore<OAuthClient>({ log: recordedLog() });
  /** `<n> <priority>`, as they went in. */
  readonly queued: string[] = [];
  readonly compromised = new Set<string>();
  readonly #handlers = new Set<() => void>();
  readonly #queue = {
    add: (key: string, priority = 'normal') => this.queued.push(`${Number(key.slice(-12))} ${priority}`),
  };
  readonly schedule = new RecordSchedule({
    queue: this.#queue,
    clock: this.clock,
    isClockUsable: () => true,
  });
  readonly triggers: RecordTriggers<CachedIssuedToken>;

  constructor() {
    const { clock, clients, records, schedule } = this;
    this.triggers = new RecordTriggers({
      kind: ISSUED_TOKEN_KIND,
      isOfAnother: (client) => {
        const found = clients.get(client);
        return found !== undefined && isOfAnotherIssuer({ url: OWN }, found);
      },
      records,
      clients,
      clock,
      schedule,
      queue: this.#queue,
      settings: SETTINGS,
      recordClients: new ClientPresenceReader({
        clients,
        oauthClients: { get: () => Promise.reject(new Error('asked')) },
        clock,
      }),
      keyring: {
        phase: (kid) => (this.compromised.has(kid) ? 'Compromised' : 'Active'),
        onChange: (handler) => {
          this.#handlers.add(handler);
          return () => this.#handlers.delete(handler);
        },
      },
    });
    clients.apply(recordClient());
    this.triggers.connect();
  }

  apply(n: number, traits: RecordTraits = {}): void {
    this.records.apply(makeRecord({ id: idOf(n), ...traits }));
  }

  /** Calls kids compromised, as the keyring does. */
  compromise(...kids: string[]): void {
    for (const kid of kids) this.compromised.add(kid);
    for (const handler of this.#handlers) handler();
  }
}

test('before this replica leads nothing is looked at; then everything is', async () => {
  const fake = new FakeRecords();
  fake.apply(1, { revoked: true });
  fake.apply(2, { expiresAt: HOUR });
  fake.clients.remove({ ...recordClient(), metadata: { ...recordClient().metadata, resourceVersion: '9' } });
  fake.compromise('k');
  fake.compromised.clear();
  fake.clients.apply(recordClient('another'));
  expect([fake.queued, fake.schedule.size]).toEqual([[], 0]);
  fake.triggers.lead();
  expect(fake.queued).toEqual(['1 low', '2 low']);
});

test('a record that only has to wait goes into the schedule, not into the queue', async () => {
  const fake = new FakeRecords();
  fake.triggers.lead();
  fake.apply(1, { expiresAt: HOUR });
  fake.apply(2);
  expect([fake.queued, fake.schedule.size]).toEqual([[], 1]);
  await fake.clock.advance(2 * HOUR * 1000);
  expect(fake.queued).toEqual(['1 low']);
});

test('records of a client that belongs to another issuer are left alone, until it comes here', () => {
  const fake = new FakeRecords();
  const client = recordClient();
  const movedTo = (issuer: string, resourceVersion: string): OAuthClient => ({
    ...client,
    metadata: { ...client.metadata, resourceVersion },
    spec: { ...client.spec, issuer },
  });
  fake.clients.apply(movedTo('https://other.example', '7'));
  fake.triggers.lead();
  fake.apply(1, { revoked: true });
  fake.apply(2, { expiresAt: HOUR });
  fake.compromise('k');
  expect([fake.queued, fake.schedule.size]).toEqual([[], 0]);
  fake.compromised.clear();
  fake.clients.apply(movedTo(OWN, '8'));
  expect([fake.queued, fake.schedule.size]).toEqual([['1 low'], 1]);
});

test('a record that goes leaves the schedule', () => {
  const fake = new FakeRecords();
  fake.triggers.lead();
  fake.apply(1, { expiresAt: HOUR });
  fake.records.remove(makeRecord({ id: idOf(1), resourceVersion: '2' }));
  expect([fake.queued, fake.schedule.size]).toEqual([[], 0]);
});

test('a revocation goes in first, other work as usual', () => {
  const fake = new FakeRecords();
  fake.triggers.lead();
  fake.apply(1, { revoked: true });
  fake.apply(2, { clientUID: 'another' });
  expect(fake.queued).toEqual(['1 high', '2 normal']);
});

test('what was revoked long ago goes in no more', () => {
  const fake = new FakeRecords();
  fake.triggers.lead();
  fake.apply(1, { blacklistedAt: 0, revoked: true });
  expect([fake.queued, fake.schedule.size]).toEqual([[], 1]);
});

test.each<[string, (fake: FakeRecords) => void]>([
  [
    'is deleted',
    ({ clients }) =>
      clients.remove({ ...recordClient(), metadata: { ...recordClient().metadata, resourceVersion: '9' } }),
  ],
  [
    'is made anew under its name',
    ({ clients }) => {
      const { metadata, ...rest } = recordClient('another');
      clients.apply({ ...rest, metadata: { ...metadata, resourceVersion: '9' } });
    },
  ],
])('all records of a client that %s go in, at low priority and in pieces', async (_, happen) => {
  const fake = new FakeRecords();
  fake.triggers.lead();
  for (let n = 0; n < 1200; n++) fake.apply(n);
  fake.records.apply({ ...makeRecord({ id: idOf(5000), clientUID: 'other' }), client: 'n/other' });
  fake.queued.length = 0;
  happen(fake);
  expect(fake.queued.length).toBe(500);
  await fake.clock.advance(0);
  expect(new Set(fake.queued)).toEqual(new Set(Array.from({ length: 1200 }, (__, n) => `${n} low`)));
});

test('a client whose spec changes concerns no record', () => {
  const fake = new FakeRecords();
  fake.triggers.lead();
  fake.apply(1);
  fake.apply(2, { clientUID: 'another' });
  expect(fake.queued).toEqual(['2 normal']);
  const { metadata, ...rest } = recordClient(CLIENT_UID);
  fake.clients.apply({ ...rest, metadata: { ...metadata, resourceVersion: '9' } });
  expect(fake.queued).toEqual(['2 normal']);
});

test('a key that is compromised concerns its own records, once', async () => {
  const fake = new FakeRecords();
  fake.apply(1);
  fake.apply(2, { keyID: 'other' });
  fake.triggers.lead();
  fake.apply(3);
  fake.apply(4, { blacklistedAt: 0 });
  fake.compromise('k');
  fake.compromise();
  await fake.clock.advance(0);
  expect(fake.queued).toEqual(['1 low', '3 low']);
});

test('a record that comes after its key was compromised goes in', () => {
  const fake = new FakeRecords();
  fake.triggers.lead();
  fake.compromise('k');
  fake.apply(1);
  expect(fake.queued).toEqual(['1 normal']);
});

test('at the end nothing is looked at any more', async () => {
  const fake = new FakeRecords();
  for (let n = 0; n < 600; n++) fake.apply(n, { revoked: true });
  fake.triggers.lead();
  fake.apply(600, { expiresAt: HOUR });
  expect(fake.schedule.size).toBe(1);
  fake.triggers.disconnect();
  fake.apply(601, { revoked: true });
  await fake.clock.advance(10 * HOUR * 1000);
  expect([fake.queued.length, fake.schedule.size]).toEqual([500, 0]);
});

test('of many TokenBatches, few are planned in a turn: each holds up to 256 records', async () => {
  const { clock, clients, schedule } = new FakeRecords();
  const one = batchWith([{ expiresAt: HOUR }]);
  const batches = new ObjectStore<CachedTokenBatch>({ log: recordedLog(), indexers: BATCH_INDEXERS });
  for (let n = 0; n < 40; n += 1) {
    batches.apply({ ...one, metadata: { ...one.metadata, name: `batch-${n}`, uid: `uid-${n}` } });
  }
  const triggers = new RecordTriggers({
    kind: TOKEN_BATCH_KIND,
    isOfAnother: () => false,
    records: batches,
    clients,
    clock,
    schedule,
    queue: { add: () => undefined },
    settings: SETTINGS,
    recordClients: new ClientPresenceReader({
      clients,
      oauthClients: { get: () => Promise.reject(new Error('asked')) },
      clock,
    }),
    keyring: { phase: () => 'Active', onChange: () => () => undefined },
  });
  triggers.connect();
  triggers.lead();
  expect(schedule.size).toBe(16);
  await clock.advance(0);
  expect(schedule.size).toBe(40);
});
