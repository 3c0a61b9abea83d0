import { describe, expect, test } from '@jest/globals';
import { makeClient, makeToken, TokenWorld } from './token-world.ts';

const MINUTE = 60_000;

/** A Token with two JWTs of 24 h: the first is an earlier one since a renewal. */
const renewedOnce = (overlap?: string): TokenWorld => {
  const world = new TokenWorld(makeToken({ renewal: { ...(overlap !== undefined && { overlap }) } }));
  world.client = makeClient({ accessTokenLifetime: '24h', allowedScopes: ['admin', 'read'] });
  world.reconcile();
  world.now += 5 * MINUTE;
  world.annotate({ 'm2moauth.dev/renew': '1' });
  world.reconcile();
  expect(world.status.previous).toMatchObject([{ expiration: expect.stringMatching(/^2026-01-0[12]T/u) }]);
  world.now += 5 * MINUTE;
  return world;
};
const expirations = (world: TokenWorld) => world.status.previous?.map(({ expiration }) => expiration);

describe('every earlier JWT ends within ten minutes', () => {
  const rows: [string, (world: TokenWorld) => void][] = [
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
  test.each(rows)('%s', (_, change) => {
    const world = renewedOnce();
    change(world);
    world.reconcile();
    expect(expirations(world)).toEqual(['2026-01-01T00:20:00Z', '2026-01-01T00:20:00Z']);
  });

  test.each(rows)('%s, though a crash comes before the status', (_, change) => {
    const world = renewedOnce();
    change(world);
    world.budget = 1;
    expect(() => world.reconcile()).toThrow();
    world.budget = Number.POSITIVE_INFINITY;
    world.reconcile();
    expect(expirations(world)).toEqual(['2026-01-01T00:20:00Z', '2026-01-01T00:20:00Z']);
  });

  test('when the key of the current one is compromised and a scope is taken away together', () => {
    const world = renewedOnce();
    world.phases = new Map([
      ['key-1', 'Retired'],
      ['key-2', 'Active'],
    ]);
    world.activeKid = 'key-2';
    world.annotate({ 'm2moauth.dev/renew': '2' });
    world.reconcile();
    world.phases = new Map([
      ['key-1', 'Retired'],
      ['key-2', 'Compromised'],
      ['key-3', 'Active'],
    ]);
    world.activeKid = 'key-3';
    world.client = makeClient({ accessTokenLifetime: '24h', allowedScopes: ['read'] });
    world.reconcile();
    expect(expirations(world)).toEqual(['2026-01-01T00:20:00Z', '2026-01-01T00:20:00Z']);
  });
});

test('a shorter overlap holds for the earlier ones too when claims change', () => {
  const world = renewedOnce();
  world.edit({ tokenName: 'other', renewal: { overlap: '2m' } });
  world.reconcile();
  expect(expirations(world)).toEqual(['2026-01-01T00:12:00Z', '2026-01-01T00:12:00Z']);
});

test('an earlier JWT keeps its own end where that is sooner, and at a mere renewal', () => {
  const world = renewedOnce('12m');
  expect(expirations(world)).toEqual(['2026-01-01T00:17:00Z']);
  world.annotate({ 'm2moauth.dev/renew': '2' });
  world.reconcile();
  expect(expirations(world)).toEqual(['2026-01-01T00:17:00Z', '2026-01-01T00:22:00Z']);
  world.edit({ tokenName: 'other' });
  world.reconcile();
  expect(expirations(world)).toEqual([
    '2026-01-01T00:17:00Z',
    '2026-01-01T00:20:00Z',
    '2026-01-01T00:20:00Z',
  ]);
});
