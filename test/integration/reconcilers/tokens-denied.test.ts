import { describe, expect, test } from '@jest/globals';
import { ApiError } from '../../../operator/ports/kube.ts';
import { eventually } from '../../support/eventually.ts';
import type { Fault } from './guarded-client.ts';
import { conditionOf, TokenEnv } from './token-env.ts';

const DENIED: Fault = {
  call: 'delete Secret',
  when: 'before',
  error: new ApiError('denied', { status: 403, reason: 'Forbidden' }),
};

/** An issued Token whose Secrets the operator may not delete. */
const denied = async (spec: Record<string, unknown> = {}): Promise<TokenEnv> => {
  const env = await TokenEnv.open();
  await env.client();
  await env.create(spec);
  await env.token('Issued');
  env.faults.push(...Array.from({ length: 1000 }, () => DENIED));
  env.calls.length = 0;
  return env;
};

/** Lets several retries pass. */
const insist = async (env: TokenEnv): Promise<void> => {
  const target = env.faults.length - 4;
  await eventually(async () => {
    await env.clock.advance(1_000);
    await env.idle();
    expect(env.faults.length).toBeLessThan(target);
  });
};

const allow = async (env: TokenEnv, look: () => Promise<void>): Promise<void> => {
  env.faults.length = 0;
  await eventually(async () => {
    await env.clock.advance(10_000);
    await env.idle();
    await look();
  });
};

describe('where Secrets can’t be deleted, the status is written all the same, once', () => {
  test('that a Token has expired, and where its Secret still is', async () => {
    await using env = await denied({ renewal: { policy: 'Never' } });
    await env.clock.advance(3_600_000);
    const token = await env.token('Expired');
    expect(token.status).toMatchObject({ version: 2, secretRef: { name: 'reports' } });
    await insist(env);
    expect(env.writes).toEqual(['updateStatus Token reports']);
    expect(env.events.map(({ reason }) => reason)).toEqual(['Issued', 'Expired']);
    await allow(env, async () => expect(await env.get('Secret', 'reports')).toBeUndefined());
    const after = await env.token('Expired');
    expect(after.status).not.toHaveProperty('secretRef');
    expect(after.status.version).toBe(3);
  });

  test.each([
    ['', {}],
    [', though its Secret lost its labels', { labels: null }],
  ])('that a Token is blacklisted%s', async (_, metadata) => {
    await using env = await denied();
    await env.stop();
    await env.patch('Secret', 'reports', { metadata });
    await env.patch('Token', 'reports', { spec: { revoked: true } });
    await env.start();
    const token = await env.token('Blacklisted');
    expect(token.status).toMatchObject({ version: 2, blacklisted: { flag: true } });
    await insist(env);
    expect(env.writes).toEqual(['updateStatus Token reports']);
    expect(env.events.at(-1)?.reason).toBe('Blacklisted');
    await allow(env, async () => expect(await env.get('Secret', 'reports')).toBeUndefined());
  });

  test('that a rejected Token’s JWT is over', async () => {
    await using env = await denied();
    await env.patch('OAuthClient', 'app', { spec: { suspended: true } });
    await env.token('ClientSuspended');
    await env.clock.advance(3_600_000);
    await eventually(async () =>
      expect((await env.get('Token', 'reports'))?.status).not.toHaveProperty('renewalTime'),
    );
    await insist(env);
    expect(env.writes).toHaveLength(2);
    await allow(env, async () => expect(await env.get('Secret', 'reports')).toBeUndefined());
  });

  test('that a JWT was issued into another Secret', async () => {
    await using env = await denied();
    await env.patch('Token', 'reports', { spec: { tokenName: 'other', secret: { name: 'elsewhere' } } });
    const token = await env.token('Issued', (now) => expect(now.issuance).toBe(2));
    expect(token.status.secretRef.name).toBe('reports');
    expect((await env.jwt('elsewhere')).payload.jti).toBe(token.status.id);
    await insist(env);
    expect(env.writes).toEqual(['create Secret elsewhere', 'updateStatus Token reports']);
    await allow(env, async () => expect(await env.get('Secret', 'reports')).toBeUndefined());
    const after = await env.token('Issued', (now) => expect(now.secretRef.name).toBe('elsewhere'));
    expect(after.status.issuance).toBe(2);
    expect(conditionOf(after, 'Ready')?.status).toBe('True');
  });
});
