import { describe, expect, test } from '@jest/globals';
import { API_VERSION } from '../../../operator/api/meta.ts';
import { bodyOf } from '../../support/api.ts';
import { eventually } from '../../support/eventually.ts';
import { conditionOf, TokenStage } from './token-stage.ts';

const issued = async (): Promise<TokenStage> => {
  const stage = await TokenStage.open();
  await stage.client();
  await stage.create();
  await stage.token('Issued');
  await stage.clock.advance(60_000);
  stage.calls.length = 0;
  return stage;
};

const text = (value: string | undefined) => Buffer.from(value ?? '', 'base64').toString();

describe('a Secret that somebody writes to by server-side apply of stringData', () => {
  const applied = async (stringData: Record<string, string>) => {
    const stage = await issued();
    const before = await stage.jwt();
    bodyOf(
      await stage.api.apply({ ...stage.ref('Secret', 'reports'), stringData } as never, {
        query: { force: 'true' },
      }),
    );
    return Object.assign(stage, { before });
  };

  test('gets its JWT back, once; the other key stays through a renewal', async () => {
    await using stage = await applied({ token: 'evil', other: 'theirs' });
    await eventually(() => expect(stage.writes).toEqual(['update Secret reports']));
    await stage.idle();
    const { payload, secret } = await stage.jwt();
    expect(payload).toEqual(stage.before.payload);
    expect(text(secret.data.other)).toBe('theirs');

    stage.calls.length = 0;
    await stage.restart();
    await stage.idle();
    await stage.patch('Token', 'reports', { metadata: { labels: { looked: 'again' } } });
    await eventually(() => expect(stage.calls.length).toBeGreaterThan(1));
    await stage.idle();
    expect([...new Set(stage.calls)]).toEqual(['get Secret reports']);
    expect((await stage.get('Secret', 'reports'))?.metadata.resourceVersion).toBe(
      secret.metadata.resourceVersion,
    );

    await stage.patch('Token', 'reports', { metadata: { annotations: { 'm2moauth.dev/renew': '1' } } });
    const token = await stage.token('Issued', (now) => expect(now.issuance).toBe(2));
    const renewed = await stage.jwt();
    expect(renewed.payload.jti).toBe(token.status.id);
    expect(text(renewed.secret.data.other)).toBe('theirs');
  });

  test('keeps a key that they add beside the JWT, through a renewal', async () => {
    await using stage = await applied({ other: 'theirs' });
    await stage.idle();
    expect(stage.writes).toEqual([]);
    await stage.patch('Token', 'reports', { metadata: { annotations: { 'm2moauth.dev/renew': '1' } } });
    await stage.token('Issued', (now) => expect(now.issuance).toBe(2));
    expect(text((await stage.jwt()).secret.data.other)).toBe('theirs');
  });
});

test('a Token that is made again under its name waits for the garbage collector to take the Secret of the one before', async () => {
  await using stage = await TokenStage.open();
  await stage.client();
  const old = {
    apiVersion: API_VERSION,
    kind: 'Token',
    name: 'reports',
    uid: '5d1d3a52-7c0e-4c38-9c3e-000000000001',
    controller: true,
  };
  const held = { ownerReferences: [old], finalizers: ['example.com/hold'] };
  const ref = stage.ref('Secret', 'reports');
  bodyOf(await stage.api.create({ ...ref, metadata: { ...ref.metadata, ...held } }));
  await stage.create();
  const token = await stage.token('Issuing');
  expect(conditionOf(token, 'Ready')?.message).toContain('garbage collector');
  await stage.patch('Secret', 'reports', { metadata: { finalizers: null } });
  await eventually(
    async () => {
      await stage.clock.advance(1_000);
      expect(conditionOf(await stage.get('Token', 'reports'), 'Ready')?.reason).toBe('Issued');
    },
    { timeoutMs: 30_000 },
  );
  expect(stage.events.map(({ reason }) => reason)).not.toContain('SecretConflict');
}, 40_000);
