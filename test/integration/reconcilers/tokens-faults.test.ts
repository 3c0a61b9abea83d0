import { describe, expect, test } from '@jest/globals';
import { tokenId } from '../../../operator/domain/token/token-id.ts';
import { ApiError } from '../../../operator/ports/kube.ts';
import { eventually } from '../../support/eventually.ts';
import type { Fault } from './guarded-client.ts';
import { conditionOf, TokenStage } from './token-stage.ts';

const silence = () => new ApiError('no answer', { status: 0, reason: 'Unreachable' });
const conflict = () => new ApiError('conflict', { status: 409, reason: 'Conflict' });

/** Lets the controller's backoff pass until the Token is as looked for. */
const recover = async (stage: TokenStage, look: () => Promise<void>): Promise<void> => {
  await eventually(async () => {
    await stage.clock.advance(1_000);
    await stage.idle();
    await look();
  });
};

describe('one failure at a write, and the next pass repairs it', () => {
  const rows: [Fault['call'], Fault['when'], () => Error, string[]][] = [
    ['create Secret', 'before', silence, ['create Secret reports', 'updateStatus Token reports']],
    ['create Secret', 'after', silence, ['create Secret reports', 'updateStatus Token reports']],
    ['updateStatus Token', 'before', silence, ['create Secret reports', 'updateStatus Token reports']],
    ['updateStatus Token', 'before', conflict, ['create Secret reports', 'updateStatus Token reports']],
    ['updateStatus Token', 'after', silence, ['create Secret reports', 'updateStatus Token reports']],
  ];

  test.each(rows)('of a first issuance: %s, failing %s it is done', async (call, when, error, writes) => {
    await using stage = await TokenStage.open();
    await stage.client();
    stage.faults.push({ call, when, error: error() });
    const { metadata } = await stage.create();
    await recover(stage, async () => {
      expect(conditionOf(await stage.get('Token', 'reports'), 'Ready')?.status).toBe('True');
    });
    const token = await stage.token('Issued');
    expect(token.status).toMatchObject({ issuance: 1, version: 1, id: tokenId(metadata.uid, 1) });
    expect((await stage.jwt()).payload).toMatchObject({
      jti: token.status.id,
      iat: Date.parse(token.status.issuedAt) / 1000,
    });
    expect(stage.writes).toEqual(writes);
  });

  test.each<[Fault['call'], Fault['when']]>([
    ['update Secret', 'before'],
    ['update Secret', 'after'],
    ['updateStatus Token', 'before'],
    ['updateStatus Token', 'after'],
  ])('of a renewal: %s, failing %s it is done', async (call, when) => {
    await using stage = await TokenStage.open();
    await stage.client();
    await stage.create({ renewal: { overlap: '5m' } });
    const { status } = await stage.token('Issued');
    stage.faults.push({ call, when, error: silence() });
    await stage.advanceTo(status.renewalTime);
    await recover(stage, async () => {
      expect((await stage.get('Token', 'reports'))?.status.issuance).toBe(2);
    });
    const token = await stage.token('Issued');
    expect(token.status).toMatchObject({ issuance: 2, version: 2 });
    expect(token.status.previous).toMatchObject([{ id: status.id }]);
    expect((await stage.jwt()).payload.jti).toBe(token.status.id);
    expect(stage.writes).toHaveLength(4);
  });

  test.each<[Fault['call'], Fault['when']]>([
    ['updateStatus Token', 'before'],
    ['updateStatus Token', 'after'],
    ['delete Secret', 'before'],
    ['delete Secret', 'after'],
  ])('of a revocation: %s, failing %s it is done', async (call, when) => {
    await using stage = await TokenStage.open();
    await stage.client();
    await stage.create();
    await stage.token('Issued');
    stage.faults.push({ call, when, error: silence() });
    await stage.patch('Token', 'reports', { spec: { revoked: true } });
    await recover(stage, async () => expect(await stage.get('Secret', 'reports')).toBeUndefined());
    const token = await stage.token('Blacklisted');
    expect(token.status.version).toBe(2);
  });

  test.each<[Fault['call'], Fault['when']]>([
    ['create Secret', 'after'],
    ['delete Secret', 'before'],
    ['delete Secret', 'after'],
    ['updateStatus Token', 'before'],
  ])('of a move: %s, failing %s it is done', async (call, when) => {
    await using stage = await TokenStage.open();
    await stage.client();
    await stage.create();
    await stage.token('Issued');
    const before = await stage.jwt();
    stage.faults.push({ call, when, error: silence() });
    await stage.patch('Token', 'reports', { spec: { secret: { name: 'elsewhere' } } });
    await recover(stage, async () => {
      expect((await stage.get('Token', 'reports'))?.status.secretRef).toEqual({ name: 'elsewhere' });
    });
    expect(await stage.get('Secret', 'reports')).toBeUndefined();
    expect((await stage.jwt('elsewhere')).payload).toEqual(before.payload);
  });

  test.each<Fault['when']>(['before', 'after'])('of a collection: failing %s it is done', async (when) => {
    await using stage = await TokenStage.open();
    await stage.client();
    await stage.create({ renewal: { policy: 'Never' }, ttlSecondsAfterExpired: 0 });
    await stage.token('Issued');
    stage.faults.push({ call: 'delete Token', when, error: silence() });
    await stage.clock.advance(3_600_000);
    await recover(stage, async () => expect(await stage.get('Token', 'reports')).toBeUndefined());
  });

  test('a webhook that fails shows as Issuing until it answers', async () => {
    await using stage = await TokenStage.open();
    await stage.client();
    const error = new ApiError('webhook', { status: 500, reason: 'InternalError' });
    const fault: Fault = { call: 'create Secret', when: 'before', error };
    stage.faults.push(...Array.from({ length: 100 }, () => fault));
    await stage.create();
    const token = await stage.token('Issuing');
    expect(conditionOf(token, 'Ready')?.message).toContain('500 InternalError');
    expect(stage.writes).toEqual(['updateStatus Token reports']);
    stage.faults.length = 0;
    await recover(stage, async () => {
      expect(conditionOf(await stage.get('Token', 'reports'), 'Ready')?.status).toBe('True');
    });
  });
});

describe('after a crash between Secret and status', () => {
  /** A Token whose first JWT is in its Secret, and whose status does not know. */
  const crashed = async (): Promise<TokenStage> => {
    const stage = await TokenStage.open();
    await stage.client();
    const fault: Fault = { call: 'updateStatus Token', when: 'before', error: silence() };
    stage.faults.push(...Array.from({ length: 100 }, () => fault));
    await stage.create();
    await eventually(async () => expect(stage.calls).toContain('create Secret reports'));
    await stage.stop();
    stage.faults.length = 0;
    await stage.clock.advance(60_000);
    stage.calls.length = 0;
    return stage;
  };

  test('the issuance in the Secret is adopted with one write', async () => {
    await using stage = await crashed();
    await stage.start();
    const token = await stage.token('Issued');
    expect(stage.calls).toEqual(['get Secret reports', 'updateStatus Token reports']);
    expect(token.status).toMatchObject({ issuance: 1, version: 1, issuedAt: '2026-01-01T00:00:00Z' });
    expect((await stage.jwt()).payload.jti).toBe(token.status.id);
  });

  test('it is adopted first, though the spec has changed meanwhile', async () => {
    await using stage = await crashed();
    const first = await stage.jwt();
    await stage.patch('Token', 'reports', { spec: { tokenName: 'other', secret: { name: 'elsewhere' } } });
    await stage.start();
    const token = await stage.token('Issued', (now) => expect(now.issuance).toBe(2));
    expect(token.status.previous).toMatchObject([{ id: first.payload.jti }]);
    expect(token.status.version).toBe(2);
    expect(await stage.get('Secret', 'reports')).toBeUndefined();
    expect((await stage.jwt('elsewhere')).payload).toMatchObject({ jti: token.status.id, name: 'other' });
  });

  test('it is adopted though the client is gone, and revoked with the Token', async () => {
    await using stage = await crashed();
    await stage.delete('OAuthClient', 'app');
    await stage.start();
    const token = await stage.token('ClientNotFound');
    expect(token.status).toMatchObject({ issuance: 1, secretRef: { name: 'reports' } });
    await stage.patch('Token', 'reports', { spec: { revoked: true } });
    await stage.token('Blacklisted');
    expect(await stage.get('Secret', 'reports')).toBeUndefined();
  });
});
