import { describe, expect, test } from '@jest/globals';
import { bodyOf } from '../../support/api.ts';
import { conditionOf, TokenEnv } from './token-env.ts';

const issued = async (): Promise<TokenEnv> => {
  const env = await TokenEnv.open();
  await env.client();
  await env.create();
  await env.token('Issued');
  env.calls.length = 0;
  return env;
};

describe('revoking a Token', () => {
  test('by its spec blacklists it for ever and removes the Secret', async () => {
    await using env = await issued();
    await env.patch('Token', 'reports', { spec: { revoked: true } });
    const token = await env.token('Blacklisted', (now) => expect(now.blacklisted.flag).toBe(true));
    expect(token.status).toMatchObject({ version: 2, blacklisted: { timestamp: '2026-01-01T00:00:00Z' } });
    expect(token.status).not.toHaveProperty('secretRef');
    expect(conditionOf(token, 'Stalled')).toMatchObject({ status: 'True', reason: 'Blacklisted' });
    expect(await env.get('Secret', 'reports')).toBeUndefined();
    expect(env.calls).toEqual(['updateStatus Token reports', 'delete Secret reports']);
    expect(env.events.at(-1)?.reason).toBe('Blacklisted');
  });

  test('by a patch of its status does the same, and keeps the time that was given', async () => {
    await using env = await issued();
    const blacklisted = { flag: true, timestamp: '2025-12-31T23:59:00Z' };
    bodyOf(
      await env.api.patch(
        env.ref('Token', 'reports'),
        'merge',
        { status: { blacklisted } },
        { subresource: 'status' },
      ),
    );
    const token = await env.token('Blacklisted');
    expect(token.status).toMatchObject({ version: 2, blacklisted });
    expect(await env.get('Secret', 'reports')).toBeUndefined();
  });

  test('can’t be undone: not by the API, not by a client or key that comes or goes, not by time', async () => {
    await using env = await issued();
    await env.patch('Token', 'reports', { spec: { revoked: true } });
    await env.token('Blacklisted');
    for (const [patch, options] of [
      [{ spec: { revoked: false } }, {}],
      [{ status: { blacklisted: null } }, { subresource: 'status' }],
      [{ status: null }, { subresource: 'status' }],
    ] as const) {
      expect((await env.api.patch(env.ref('Token', 'reports'), 'merge', patch, options)).status).toBe(422);
    }
    await env.patch('OAuthClient', 'app', { spec: { owner: 'bob' } });
    await env.keyring.rotate();
    await env.patch('Token', 'reports', { metadata: { annotations: { 'm2moauth.dev/renew': '1' } } });
    await env.clock.advance(100 * 3_600_000);
    await env.restart();
    const token = await env.token('Blacklisted');
    expect(token.status).toMatchObject({ issuance: 1, version: 2 });
    expect(await env.get('Secret', 'reports')).toBeUndefined();
  });

  test('removes no Secret that is not the Token’s', async () => {
    await using env = await issued();
    await env.stop();
    await env.delete('Secret', 'reports');
    bodyOf(await env.api.create({ ...env.ref('Secret', 'reports'), data: { password: 'AAAA' } }));
    await env.patch('Token', 'reports', { spec: { revoked: true } });
    await env.start();
    await env.token('Blacklisted');
    expect((await env.get('Secret', 'reports'))?.data).toEqual({ password: 'AAAA' });
  });

  test('finds the Secret though its labels were taken off', async () => {
    await using env = await issued();
    await env.stop();
    await env.patch('Secret', 'reports', {
      metadata: { labels: null },
    });
    await env.patch('Token', 'reports', { spec: { revoked: true } });
    await env.start();
    await env.token('Blacklisted');
    expect(await env.get('Secret', 'reports')).toBeUndefined();
  });
});
