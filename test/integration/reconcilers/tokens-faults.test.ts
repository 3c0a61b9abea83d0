import { describe, expect, test } from '@jest/globals';
import { tokenId } from '../../../operator/domain/token/declared-token.ts';
import { ApiError } from '../../../operator/ports/kube.ts';
import { eventually } from '../../support/eventually.ts';
import type { Fault } from './guarded-client.ts';
import { conditionOf, TokenEnv } from './token-env.ts';

const silence = () => new ApiError('no answer', { status: 0, reason: 'Unreachable' });
const conflict = () => new ApiError('conflict', { status: 409, reason: 'Conflict' });

/** Lets the controller's backoff pass until the Token is as looked for. */
const recover = async (env: TokenEnv, look: () => Promise<void>): Promise<void> => {
  await eventually(async () => {
    await env.clock.advance(1_000);
    await env.idle();
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
    await using env = await TokenEnv.open();
    await env.client();
    env.faults.push({ call, when, error: error() });
    const { metadata } = await env.create();
    await recover(env, async () => {
      expect(conditionOf(await env.get('Token', 'reports'), 'Ready')?.status).toBe('True');
    });
    const token = await env.token('Issued');
    expect(token.status).toMatchObject({ issuance: 1, version: 1, id: tokenId(metadata.uid, 1) });
    expect((await env.jwt()).payload).toMatchObject({
      jti: token.status.id,
      iat: Date.parse(token.status.issuedAt) / 1000,
    });
    expect(env.writes).toEqual(writes);
  });

  test.each<[Fault['call'], Fault['when']]>([
    ['update Secret', 'before'],
    ['update Secret', 'after'],
    ['updateStatus Token', 'before'],
    ['updateStatus Token', 'after'],
  ])('of a renewal: %s, failing %s it is done', async (call, when) => {
    await using env = await TokenEnv.open();
    await env.client();
    await env.create({ renewal: { overlap: '5m' } });
    const { status } = await env.token('Issued');
    env.faults.push({ call, when, error: silence() });
    await env.advanceTo(status.renewalTime);
    await recover(env, async () => {
      expect((await env.get('Token', 'reports'))?.status.issuance).toBe(2);
    });
    const token = await env.token('Issued');
    expect(token.status).toMatchObject({ issuance: 2, version: 2 });
    expect(token.status.previous).toMatchObject([{ id: status.id }]);
    expect((await env.jwt()).payload.jti).toBe(token.status.id);
    expect(env.writes).toHaveLength(4);
  });

  test.each<[Fault['call'], Fault['when']]>([
    ['updateStatus Token', 'before'],
    ['updateStatus Token', 'after'],
    ['delete Secret', 'before'],
    ['delete Secret', 'after'],
  ])('of a revocation: %s, failing %s it is done', async (call, when) => {
    await using env = await TokenEnv.open();
    await env.client();
    await env.create();
    await env.token('Issued');
    env.faults.push({ call, when, error: silence() });
    await env.patch('Token', 'reports', { spec: { revoked: true } });
    await recover(env, async () => expect(await env.get('Secret', 'reports')).toBeUndefined());
    const token = await env.token('Blacklisted');
    expect(token.status.version).toBe(2);
  });

  test.each<[Fault['call'], Fault['when']]>([
    ['create Secret', 'after'],
    ['delete Secret', 'before'],
    ['delete Secret', 'after'],
    ['updateStatus Token', 'before'],
  ])('of a move: %s, failing %s it is done', async (call, when) => {
    await using env = await TokenEnv.open();
    await env.client();
    await env.create();
    await env.token('Issued');
    const before = await env.jwt();
    env.faults.push({ call, when, error: silence() });
    await env.patch('Token', 'reports', { spec: { secret: { name: 'elsewhere' } } });
    await recover(env, async () => {
      expect((await env.get('Token', 'reports'))?.status.secretRef).toEqual({ name: 'elsewhere' });
    });
    expect(await env.get('Secret', 'reports')).toBeUndefined();
    expect((await env.jwt('elsewhere')).payload).toEqual(before.payload);
  });

  test.each<Fault['when']>(['before', 'after'])('of a collection: failing %s it is done', async (when) => {
    await using env = await TokenEnv.open();
    await env.client();
    await env.create({ renewal: { policy: 'Never' }, ttlSecondsAfterExpired: 0 });
    await env.token('Issued');
    env.faults.push({ call: 'delete Token', when, error: silence() });
    await env.clock.advance(3_600_000);
    await recover(env, async () => expect(await env.get('Token', 'reports')).toBeUndefined());
  });

  test('a webhook that fails shows as Issuing until it answers', async () => {
    await using env = await TokenEnv.open();
    await env.client();
    const error = new ApiError('webhook', { status: 500, reason: 'InternalError' });
    const fault: Fault = { call: 'create Secret', when: 'before', error };
    env.faults.push(...Array.from({ length: 100 }, () => fault));
    await env.create();
    const token = await env.token('Issuing');
    expect(conditionOf(token, 'Ready')?.message).toContain('500 InternalError');
    expect(env.writes).toEqual(['updateStatus Token reports']);
    env.faults.length = 0;
    await recover(env, async () => {
      expect(conditionOf(await env.get('Token', 'reports'), 'Ready')?.status).toBe('True');
    });
  });
});

describe('after a crash between Secret and status', () => {
  /** A Token whose first JWT is in its Secret, and whose status does not know. */
  const crashed = async (): Promise<TokenEnv> => {
    const env = await TokenEnv.open();
    await env.client();
    const fault: Fault = { call: 'updateStatus Token', when: 'before', error: silence() };
    env.faults.push(...Array.from({ length: 100 }, () => fault));
    await env.create();
    await eventually(async () => expect(env.calls).toContain('create Secret reports'));
    await env.stop();
    env.faults.length = 0;
    await env.clock.advance(60_000);
    env.calls.length = 0;
    return env;
  };

  test('the issuance in the Secret is adopted with one write', async () => {
    await using env = await crashed();
    await env.start();
    const token = await env.token('Issued');
    expect(env.calls).toEqual(['get Secret reports', 'updateStatus Token reports']);
    expect(token.status).toMatchObject({ issuance: 1, version: 1, issuedAt: '2026-01-01T00:00:00Z' });
    expect((await env.jwt()).payload.jti).toBe(token.status.id);
  });

  test('it is adopted first, though the spec has changed meanwhile', async () => {
    await using env = await crashed();
    const first = await env.jwt();
    await env.patch('Token', 'reports', { spec: { tokenName: 'other', secret: { name: 'elsewhere' } } });
    await env.start();
    const token = await env.token('Issued', (now) => expect(now.issuance).toBe(2));
    expect(token.status.previous).toMatchObject([{ id: first.payload.jti }]);
    expect(token.status.version).toBe(2);
    expect(await env.get('Secret', 'reports')).toBeUndefined();
    expect((await env.jwt('elsewhere')).payload).toMatchObject({ jti: token.status.id, name: 'other' });
  });

  test('it is adopted though the client is gone, and revoked with the Token', async () => {
    await using env = await crashed();
    await env.delete('OAuthClient', 'app');
    await env.start();
    const token = await env.token('ClientNotFound');
    expect(token.status).toMatchObject({ issuance: 1, secretRef: { name: 'reports' } });
    await env.patch('Token', 'reports', { spec: { revoked: true } });
    await env.token('Blacklisted');
    expect(await env.get('Secret', 'reports')).toBeUndefined();
  });
});
