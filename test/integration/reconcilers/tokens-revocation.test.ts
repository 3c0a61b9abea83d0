import { describe, expect, test } from '@jest/globals';
import { bodyOf } from '../../support/api.ts';
import { conditionOf, TokenStage } from './token-stage.ts';

const issued = async (): Promise<TokenStage> => {
  const stage = await TokenStage.open();
  await stage.client();
  await stage.create();
  await stage.token('Issued');
  stage.calls.length = 0;
  return stage;
};

describe('revoking a Token', () => {
  test('by its spec blacklists it for ever and removes the Secret', async () => {
    await using stage = await issued();
    await stage.patch('Token', 'reports', { spec: { revoked: true } });
    const token = await stage.token('Blacklisted', (now) => expect(now.blacklisted.flag).toBe(true));
    expect(token.status).toMatchObject({ version: 2, blacklisted: { timestamp: '2026-01-01T00:00:00Z' } });
    expect(token.status).not.toHaveProperty('secretRef');
    expect(conditionOf(token, 'Stalled')).toMatchObject({ status: 'True', reason: 'Blacklisted' });
    expect(await stage.get('Secret', 'reports')).toBeUndefined();
    expect(stage.calls).toEqual(['updateStatus Token reports', 'delete Secret reports']);
    expect(stage.events.at(-1)?.reason).toBe('Blacklisted');
  });

  test('by a patch of its status does the same, and keeps the time that was given', async () => {
    await using stage = await issued();
    const blacklisted = { flag: true, timestamp: '2025-12-31T23:59:00Z' };
    bodyOf(
      await stage.api.patch(
        stage.ref('Token', 'reports'),
        'merge',
        { status: { blacklisted } },
        { subresource: 'status' },
      ),
    );
    const token = await stage.token('Blacklisted');
    expect(token.status).toMatchObject({ version: 2, blacklisted });
    expect(await stage.get('Secret', 'reports')).toBeUndefined();
  });

  test('can’t be undone: not by the API, not by a client or key that comes or goes, not by time', async () => {
    await using stage = await issued();
    await stage.patch('Token', 'reports', { spec: { revoked: true } });
    await stage.token('Blacklisted');
    for (const [patch, options] of [
      [{ spec: { revoked: false } }, {}],
      [{ status: { blacklisted: null } }, { subresource: 'status' }],
      [{ status: null }, { subresource: 'status' }],
    ] as const) {
      expect((await stage.api.patch(stage.ref('Token', 'reports'), 'merge', patch, options)).status).toBe(
        422,
      );
    }
    await stage.patch('OAuthClient', 'app', { spec: { owner: 'bob' } });
    await stage.keyring.rotate();
    await stage.patch('Token', 'reports', { metadata: { annotations: { 'm2moauth.dev/renew': '1' } } });
    await stage.clock.advance(100 * 3_600_000);
    await stage.restart();
    const token = await stage.token('Blacklisted');
    expect(token.status).toMatchObject({ issuance: 1, version: 2 });
    expect(await stage.get('Secret', 'reports')).toBeUndefined();
  });

  test('removes no Secret that is not the Token’s', async () => {
    await using stage = await issued();
    await stage.stop();
    await stage.delete('Secret', 'reports');
    bodyOf(await stage.api.create({ ...stage.ref('Secret', 'reports'), data: { password: 'AAAA' } }));
    await stage.patch('Token', 'reports', { spec: { revoked: true } });
    await stage.start();
    await stage.token('Blacklisted');
    expect((await stage.get('Secret', 'reports'))?.data).toEqual({ password: 'AAAA' });
  });

  test('finds the Secret though its label was taken off', async () => {
    await using stage = await issued();
    await stage.stop();
    await stage.patch('Secret', 'reports', {
      metadata: { labels: { 'app.kubernetes.io/managed-by': null } },
    });
    await stage.patch('Token', 'reports', { spec: { revoked: true } });
    await stage.start();
    await stage.token('Blacklisted');
    expect(await stage.get('Secret', 'reports')).toBeUndefined();
  });
});
