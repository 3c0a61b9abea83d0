import { describe, expect, test } from '@jest/globals';
import { FakeToken, makeClient, makeToken } from './fake-token.ts';

const MINUTE = 60_000;

/** A Token with two JWTs of 24 h: the first is an earlier one since a renewal. */
const renewedOnce = async (overlap?: string): Promise<FakeToken> => {
  const fake = new FakeToken(makeToken({ renewal: { ...(overlap !== undefined && { overlap }) } }));
  fake.client = makeClient({ accessTokenLifetime: '24h', allowedScopes: ['admin', 'read'] });
  await fake.reconcile();
  fake.now += 5 * MINUTE;
  fake.annotate({ 'm2moauth.dev/renew': '1' });
  await fake.reconcile();
  expect(fake.status.previous).toMatchObject([{ expiration: expect.stringMatching(/^2026-01-0[12]T/u) }]);
  fake.now += 5 * MINUTE;
  return fake;
};
const expirations = (fake: FakeToken) => fake.status.previous?.map(({ expiration }) => expiration);

describe('every earlier JWT ends within ten minutes', () => {
  const rows: [string, (fake: FakeToken) => void][] = [
    [
      'when a scope is taken away',
      (w) => (w.client = makeClient({ accessTokenLifetime: '24h', allowedScopes: ['read'] })),
    ],
    [
      'when the limit falls',
      (w) => (w.client = makeClient({ accessTokenLifetime: '1h', allowedScopes: ['admin', 'read'] })),
    ],
    ['when the Token asks for less', (w) => w.edit({ scope: ['read'] })],
  ];
  test.each(rows)('%s', async (_, change) => {
    const fake = await renewedOnce();
    change(fake);
    await fake.reconcile();
    expect(expirations(fake)).toEqual(['2026-01-01T00:20:00Z', '2026-01-01T00:20:00Z']);
  });

  test.each(rows)('%s, though a crash comes before the status', async (_, change) => {
    const fake = await renewedOnce();
    change(fake);
    fake.budget = 1;
    await expect(fake.reconcile()).rejects.toThrow();
    fake.budget = Number.POSITIVE_INFINITY;
    await fake.reconcile();
    expect(expirations(fake)).toEqual(['2026-01-01T00:20:00Z', '2026-01-01T00:20:00Z']);
  });

  test('when the key of the current one is compromised and a scope is taken away together', async () => {
    const fake = await renewedOnce();
    fake.phases = new Map([
      ['key-1', 'Retired'],
      ['key-2', 'Active'],
    ]);
    fake.activeKid = 'key-2';
    fake.annotate({ 'm2moauth.dev/renew': '2' });
    await fake.reconcile();
    fake.phases = new Map([
      ['key-1', 'Retired'],
      ['key-2', 'Compromised'],
      ['key-3', 'Active'],
    ]);
    fake.activeKid = 'key-3';
    fake.client = makeClient({ accessTokenLifetime: '24h', allowedScopes: ['read'] });
    await fake.reconcile();
    expect(expirations(fake)).toEqual(['2026-01-01T00:20:00Z', '2026-01-01T00:20:00Z']);
  });
});

test('a shorter overlap holds for the earlier ones too when claims change', async () => {
  const fake = await renewedOnce();
  fake.edit({ tokenName: 'other', renewal: { overlap: '2m' } });
  await fake.reconcile();
  expect(expirations(fake)).toEqual(['2026-01-01T00:12:00Z', '2026-01-01T00:12:00Z']);
});

test('an earlier JWT keeps its own end where that is sooner, and at a mere renewal', async () => {
  const fake = await renewedOnce('12m');
  expect(expirations(fake)).toEqual(['2026-01-01T00:17:00Z']);
  fake.annotate({ 'm2moauth.dev/renew': '2' });
  await fake.reconcile();
  expect(expirations(fake)).toEqual(['2026-01-01T00:17:00Z', '2026-01-01T00:22:00Z']);
  fake.edit({ tokenName: 'other' });
  await fake.reconcile();
  expect(expirations(fake)).toEqual(['2026-01-01T00:17:00Z', '2026-01-01T00:20:00Z', '2026-01-01T00:20:00Z']);
});
