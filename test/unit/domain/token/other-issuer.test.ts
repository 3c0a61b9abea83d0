import { expect, test } from '@jest/globals';
import { ALL_CLIENTS } from '../../../../operator/reconcilers/oauth-client/own-clients.ts';
import { FakeToken, makeClient, makeToken } from './fake-token.ts';

/** Tokens of clients that belong to another issuer are left alone (spec §2.4, Issuer). */

const NONE = { has: () => false, mayMiss: () => false };

test.each<[string, (fake: FakeToken) => void]>([
  ['that is new', () => undefined],
  ['that is revoked', (fake) => fake.edit({ revoked: true })],
  ['that is to be renewed', (fake) => fake.annotate({ 'm2moauth.dev/renew': '1' })],
  ['whose Secret is lost', (fake) => fake.secrets.clear()],
])('a Token %s is neither read nor written', async (_, change) => {
  const fake = new FakeToken(makeToken());
  fake.client = makeClient();
  if (_ !== 'that is new') await fake.reconcile();
  change(fake);
  const before = fake.writes.length;
  fake.ownClients = NONE;
  expect(await fake.reconcile()).toEqual({ kind: 'done' });
  expect(fake.writes.slice(before)).toEqual([]);
});

test('a Token is issued when its client comes to this issuer', async () => {
  const fake = new FakeToken(makeToken());
  fake.client = makeClient();
  fake.ownClients = NONE;
  await fake.reconcile();
  fake.ownClients = ALL_CLIENTS;
  await fake.reconcile();
  expect(fake.status.issuance).toBe(1);
});

test.each([
  [true, ['ClientNotFound']],
  [false, []],
])('a Token whose client is not known here says so: %s', async (mayMiss, reasons) => {
  const fake = new FakeToken(makeToken());
  fake.client = undefined;
  fake.ownClients = { has: () => true, mayMiss: () => mayMiss };
  await fake.reconcile();
  expect((fake.status.conditions ?? []).map(({ reason }) => reason)).toEqual(reasons);
});
