import { describe, expect, test } from '@jest/globals';
import { API_VERSION } from '../../../operator/api/meta.ts';
import { bodyOf } from '../../support/api.ts';
import { eventually } from '../../support/eventually.ts';
import { conditionOf, TokenEnv } from './token-env.ts';

const issued = async (): Promise<TokenEnv> => {
  const env = await TokenEnv.open();
  await env.client();
  await env.create();
  await env.token('Issued');
  await env.clock.advance(60_000);
  env.calls.length = 0;
  return env;
};

const text = (value: string | undefined) => Buffer.from(value ?? '', 'base64').toString();

describe('a Secret that a user writes to by server-side apply of stringData', () => {
  const applied = async (stringData: Record<string, string>) => {
    const env = await issued();
    const before = await env.jwt();
    bodyOf(
      await env.api.apply({ ...env.ref('Secret', 'reports'), stringData } as never, {
        query: { force: 'true' },
      }),
    );
    return Object.assign(env, { before });
  };

  test('gets its JWT back, once; the other key stays through a renewal', async () => {
    await using env = await applied({ token: 'evil', other: 'theirs' });
    await eventually(() => expect(env.writes).toEqual(['update Secret reports']));
    await env.idle();
    const { payload, secret } = await env.jwt();
    expect(payload).toEqual(env.before.payload);
    expect(text(secret.data.other)).toBe('theirs');

    env.calls.length = 0;
    await env.restart();
    await env.idle();
    await env.patch('Token', 'reports', { metadata: { labels: { looked: 'again' } } });
    await eventually(() => expect(env.calls.length).toBeGreaterThan(1));
    await env.idle();
    expect([...new Set(env.calls)]).toEqual(['get Secret reports']);
    expect((await env.get('Secret', 'reports'))?.metadata.resourceVersion).toBe(
      secret.metadata.resourceVersion,
    );

    await env.patch('Token', 'reports', { metadata: { annotations: { 'm2moauth.dev/renew': '1' } } });
    const token = await env.token('Issued', (now) => expect(now.issuance).toBe(2));
    const renewed = await env.jwt();
    expect(renewed.payload.jti).toBe(token.status.id);
    expect(text(renewed.secret.data.other)).toBe('theirs');
  });

  test('keeps a key that they add beside the JWT, through a renewal', async () => {
    await using env = await applied({ other: 'theirs' });
    await env.idle();
    expect(env.writes).toEqual([]);
    await env.patch('Token', 'reports', { metadata: { annotations: { 'm2moauth.dev/renew': '1' } } });
    await env.token('Issued', (now) => expect(now.issuance).toBe(2));
    expect(text((await env.jwt()).secret.data.other)).toBe('theirs');
  });
});

test('annotations and labels of others stay through repairs and renewals, however large; long ones that the Token asks for are repaired', async () => {
  const long = 'm'.repeat(4096);
  const theirs = { 'example.com/note': 'x'.repeat(200_000) };
  await using env = await issued();
  await env.patch('Token', 'reports', { spec: { secret: { annotations: { long, short: 's' } } } });
  const annotations = async () => (await env.get('Secret', 'reports'))?.metadata.annotations;
  await eventually(async () => expect(await annotations()).toMatchObject({ long, short: 's' }));
  const labels = { theirs: 'l' };
  await env.patch('Secret', 'reports', { metadata: { labels, annotations: { ...theirs, long: 'changed' } } });
  await eventually(async () => expect(await annotations()).toMatchObject({ ...theirs, long, short: 's' }));

  await env.patch('Token', 'reports', { metadata: { annotations: { 'm2moauth.dev/renew': '1' } } });
  const token = await env.token('Issued', (now) => expect(now.issuance).toBe(2));
  expect(await annotations()).toMatchObject({
    ...theirs,
    long,
    short: 's',
    'm2moauth.dev/token-id': token.status.id,
  });
  expect((await env.get('Secret', 'reports'))?.metadata.labels).toMatchObject(labels);
});

test('a Token that is made again under its name waits for the garbage collector to take the Secret of the one before', async () => {
  await using env = await TokenEnv.open();
  await env.client();
  const old = {
    apiVersion: API_VERSION,
    kind: 'Token',
    name: 'reports',
    uid: '5d1d3a52-7c0e-4c38-9c3e-000000000001',
    controller: true,
  };
  const held = { ownerReferences: [old], finalizers: ['example.com/hold'] };
  const ref = env.ref('Secret', 'reports');
  bodyOf(await env.api.create({ ...ref, metadata: { ...ref.metadata, ...held } }));
  await env.create();
  const token = await env.token('Issuing');
  expect(conditionOf(token, 'Ready')?.message).toContain('garbage collector');
  await env.patch('Secret', 'reports', { metadata: { finalizers: null } });
  await eventually(
    async () => {
      await env.clock.advance(1_000);
      expect(conditionOf(await env.get('Token', 'reports'), 'Ready')?.reason).toBe('Issued');
    },
    { timeoutMs: 30_000 },
  );
  expect(env.events.map(({ reason }) => reason)).not.toContain('SecretConflict');
}, 40_000);
