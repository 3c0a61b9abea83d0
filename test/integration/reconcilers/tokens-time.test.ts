import { describe, expect, test } from '@jest/globals';
import { eventually } from '../../support/eventually.ts';
import { conditionOf, TokenStage } from './token-stage.ts';

const HOUR = 3_600_000;

describe('the renewal of a Token', () => {
  test('goes on for months: each JWT in time, the one before good until it expires', async () => {
    await using stage = await TokenStage.open();
    await stage.client({ accessTokenLifetime: '240h' });
    await stage.create();
    let token = await stage.token('Issued');
    for (let issuance = 2; issuance <= 15; issuance += 1) {
      const before = token.status;
      await stage.advanceTo(before.renewalTime);
      token = await stage.token('Issued', (now) => expect(now.issuance).toBe(issuance));
      expect(token.status.issuedAt).toBe(before.renewalTime);
      expect(token.status.previous.at(-1)).toMatchObject({ id: before.id, expiration: before.expiration });
      expect(token.status.previous.length).toBeLessThanOrEqual(2);
    }
    expect(stage.clock.now()).toBeGreaterThan(Date.UTC(2026, 2, 15));
    expect((await stage.jwt()).payload.jti).toBe(token.status.id);
    expect(stage.writes).toHaveLength(30);
    expect(stage.events.filter(({ reason }) => reason === 'Renewed')).toHaveLength(14);
  });

  test('is asked for by an annotation, once for each value, and keeps the overlap that the spec gives', async () => {
    await using stage = await TokenStage.open();
    await stage.client();
    await stage.create({ renewal: { overlap: '5m' } });
    const { status } = await stage.token('Issued');
    for (const value of ['1', '1', '2']) {
      await stage.patch('Token', 'reports', { metadata: { annotations: { 'm2moauth.dev/renew': value } } });
      await stage.token('Issued', (now) => expect(now.lastHandledRenew).toBe(value));
    }
    const token = await stage.token('Issued');
    expect(token.status.issuance).toBe(3);
    expect(token.status.previous[0]).toMatchObject({ id: status.id, expiration: '2026-01-01T00:05:00Z' });
  });

  test('that fails shows in Renewing while the current JWT is good', async () => {
    await using stage = await TokenStage.open();
    await stage.client();
    await stage.create();
    const { status } = await stage.token('Issued');
    const kid = stage.keyring.active()?.kid ?? '';
    stage.keyring.set(kid, 'Retired');
    await stage.advanceTo(status.renewalTime);
    const token = await stage.token('Issued', (now) => expect(now.version).toBe(2));
    expect(conditionOf(token, 'Renewing')).toMatchObject({ status: 'False', reason: 'SigningKeyNotReady' });
    expect(stage.events.at(-1)).toMatchObject({
      type: 'Warning',
      reason: 'SigningKeyNotReady',
      action: 'Renew',
    });
    stage.keyring.set(kid, 'Active');
    const renewed = await stage.token('Issued', (now) => expect(now.issuance).toBe(2));
    expect(conditionOf(renewed, 'Renewing')).toBeUndefined();
  });
});

describe('the end of a Token', () => {
  test('comes at its expiration: the Secret goes, only a person can help', async () => {
    await using stage = await TokenStage.open();
    await stage.client();
    await stage.create({ expiration: '2026-01-01T00:30:00Z' });
    const { status } = await stage.token('Issued');
    expect(status).not.toHaveProperty('renewalTime');
    await stage.clock.advance(HOUR / 2);
    const token = await stage.token('Expired');
    expect(conditionOf(token, 'Stalled')).toMatchObject({ status: 'True', reason: 'Expired' });
    expect(await stage.get('Secret', 'reports')).toBeUndefined();
    await stage.clock.advance(1000 * HOUR);
    await stage.idle();
    expect(stage.writes).toHaveLength(4);
    const now = stage.clock.now();
    const expiration = new Date(now + HOUR / 2).toISOString();
    await stage.patch('Token', 'reports', { spec: { expiration } });
    await stage.token('Issued', (later) => expect(later.issuance).toBe(2));
  });

  test('is its deletion after the time to live', async () => {
    await using stage = await TokenStage.open();
    await stage.client();
    await stage.create({ renewal: { policy: 'Never' }, ttlSecondsAfterExpired: 600 });
    await stage.token('Issued');
    await stage.clock.advance(HOUR);
    await stage.token('Expired');
    await stage.clock.advance(599_000);
    await stage.idle();
    expect(await stage.get('Token', 'reports')).toBeDefined();
    await stage.clock.advance(1_000);
    await eventually(async () => expect(await stage.get('Token', 'reports')).toBeUndefined());
    await stage.idle();
    expect(stage.events.at(-1)?.reason).toBe('Collected');
    expect(stage.kube.metrics.calls).toContainEqual(['tokenCollected']);
  });

  test('that came while nobody looked is seen at the start', async () => {
    await using stage = await TokenStage.open();
    await stage.client();
    await stage.create({ renewal: { policy: 'Never' } });
    await stage.token('Issued');
    await stage.stop();
    await stage.clock.advance(2 * HOUR);
    await stage.start();
    await stage.token('Expired');
  });
});
