import { describe, expect, test } from '@jest/globals';
import { eventually } from '../../support/eventually.ts';
import { conditionOf, TokenEnv } from './token-env.ts';

const HOUR = 3_600_000;

describe('the renewal of a Token', () => {
  test('goes on for months: each JWT in time, the one before it valid until it expires', async () => {
    await using env = await TokenEnv.open();
    await env.client({ accessTokenLifetime: '240h' });
    await env.create();
    let token = await env.token('Issued');
    for (let issuance = 2; issuance <= 15; issuance += 1) {
      const before = token.status;
      await env.advanceTo(before.renewalTime);
      token = await env.token('Issued', (now) => expect(now.issuance).toBe(issuance));
      expect(token.status.issuedAt).toBe(before.renewalTime);
      expect(token.status.previous.at(-1)).toMatchObject({ id: before.id, expiration: before.expiration });
      expect(token.status.previous.length).toBeLessThanOrEqual(2);
    }
    expect(env.clock.now()).toBeGreaterThan(Date.UTC(2026, 2, 15));
    expect((await env.jwt()).payload.jti).toBe(token.status.id);
    expect(env.writes).toHaveLength(30);
    expect(env.events.filter(({ reason }) => reason === 'Renewed')).toHaveLength(14);
  });

  test('is asked for by an annotation, once for each value, and keeps the overlap that the spec gives', async () => {
    await using env = await TokenEnv.open();
    await env.client();
    await env.create({ renewal: { overlap: '5m' } });
    const { status } = await env.token('Issued');
    for (const value of ['1', '1', '2']) {
      await env.patch('Token', 'reports', { metadata: { annotations: { 'm2moauth.dev/renew': value } } });
      await env.token('Issued', (now) => expect(now.lastHandledRenew).toBe(value));
    }
    const token = await env.token('Issued');
    expect(token.status.issuance).toBe(3);
    expect(token.status.previous[0]).toMatchObject({ id: status.id, expiration: '2026-01-01T00:05:00Z' });
  });

  test('that fails shows in Renewing while the current JWT is valid', async () => {
    await using env = await TokenEnv.open();
    await env.client();
    await env.create();
    const { status } = await env.token('Issued');
    const kid = env.keyring.active()?.kid ?? '';
    env.keyring.set(kid, 'Retired');
    await env.advanceTo(status.renewalTime);
    const token = await env.token('Issued', (now) => expect(now.version).toBe(2));
    expect(conditionOf(token, 'Renewing')).toMatchObject({ status: 'False', reason: 'SigningKeyNotReady' });
    expect(env.events.at(-1)).toMatchObject({
      type: 'Warning',
      reason: 'SigningKeyNotReady',
      action: 'Renew',
    });
    env.keyring.set(kid, 'Active');
    const renewed = await env.token('Issued', (now) => expect(now.issuance).toBe(2));
    expect(conditionOf(renewed, 'Renewing')).toBeUndefined();
  });
});

describe('the end of a Token', () => {
  test('comes at its expiration: the Secret goes, only a person can help', async () => {
    await using env = await TokenEnv.open();
    await env.client();
    await env.create({ expiration: '2026-01-01T00:30:00Z' });
    const { status } = await env.token('Issued');
    expect(status).not.toHaveProperty('renewalTime');
    await env.clock.advance(HOUR / 2);
    const token = await env.token('Expired');
    expect(conditionOf(token, 'Stalled')).toMatchObject({ status: 'True', reason: 'Expired' });
    expect(await env.get('Secret', 'reports')).toBeUndefined();
    await env.clock.advance(1000 * HOUR);
    await env.idle();
    expect(env.writes).toHaveLength(4);
    const now = env.clock.now();
    const expiration = new Date(now + HOUR / 2).toISOString();
    await env.patch('Token', 'reports', { spec: { expiration } });
    await env.token('Issued', (later) => expect(later.issuance).toBe(2));
  });

  test('is its deletion after the time to live', async () => {
    await using env = await TokenEnv.open();
    await env.client();
    await env.create({ renewal: { policy: 'Never' }, ttlSecondsAfterExpired: 600 });
    await env.token('Issued');
    await env.clock.advance(HOUR);
    await env.token('Expired');
    await env.clock.advance(599_000);
    await env.idle();
    expect(await env.get('Token', 'reports')).toBeDefined();
    await env.clock.advance(1_000);
    await eventually(async () => expect(await env.get('Token', 'reports')).toBeUndefined());
    await env.idle();
    expect(env.events.at(-1)?.reason).toBe('Collected');
    expect(env.kube.metrics.calls).toContainEqual(['tokenCollected']);
  });

  test('that came while no operator ran is handled at the start', async () => {
    await using env = await TokenEnv.open();
    await env.client();
    await env.create({ renewal: { policy: 'Never' } });
    await env.token('Issued');
    await env.stop();
    await env.clock.advance(2 * HOUR);
    await env.start();
    await env.token('Expired');
  });
});
