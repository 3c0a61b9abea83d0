import { describe, expect, test } from '@jest/globals';
import { API_VERSION } from '../../../operator/api/meta.ts';
import { ApiError } from '../../../operator/ports/kube.ts';
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

describe('an immutable Secret', () => {
  const renew = (env: TokenEnv) =>
    env.patch('Token', 'reports', { metadata: { annotations: { 'm2moauth.dev/renew': '1' } } });
  const immutable = async (patch: object = {}): Promise<TokenEnv> => {
    const env = await issued();
    await env.patch('Secret', 'reports', { immutable: true, ...patch });
    await env.idle();
    expect(env.writes).toEqual([]);
    return env;
  };

  test.each<[string, object, { data: object; labels: object }]>([
    ['', {}, { data: {}, labels: {} }],
    [
      ', with what others have in it',
      { data: { other: 'dGhlaXJz' }, metadata: { labels: { theirs: 'x' } } },
      { data: { other: 'dGhlaXJz' }, labels: { theirs: 'x' } },
    ],
  ])('is deleted by its UID and made again for the next JWT%s', async (_, patch, { data, labels }) => {
    await using env = await immutable(patch);
    const before = await env.jwt();
    await renew(env);
    const token = await env.token('Issued', (now) => expect(now.issuance).toBe(2));
    expect(env.writes).toEqual([
      'delete Secret reports',
      'create Secret reports',
      'updateStatus Token reports',
    ]);
    const { payload, secret } = await env.jwt();
    expect(payload.jti).toBe(token.status.id);
    expect(secret.metadata.uid).not.toBe(before.secret.metadata.uid);
    expect(secret).not.toHaveProperty('immutable');
    expect(secret.data).toMatchObject(data);
    expect(secret.metadata.labels).toMatchObject(labels);
    expect(secret.metadata.ownerReferences).toEqual(before.secret.metadata.ownerReferences);

    await env.patch('Token', 'reports', { metadata: { annotations: { 'm2moauth.dev/renew': '2' } } });
    await env.token('Issued', (now) => expect(now.issuance).toBe(3));
    expect(env.writes.slice(3)).toEqual(['update Secret reports', 'updateStatus Token reports']);
  });

  test('gets its labels back where it is', async () => {
    await using env = await immutable();
    const { secret } = await env.jwt();
    await env.patch('Secret', 'reports', { metadata: { labels: null } });
    await eventually(async () =>
      expect((await env.get('Secret', 'reports'))?.metadata.labels).toEqual(secret.metadata.labels),
    );
    await env.idle();
    expect(env.writes).toEqual(['update Secret reports']);
  });

  test('that a finalizer holds is waited for', async () => {
    await using env = await immutable({ metadata: { finalizers: ['example.com/hold'] } });
    await renew(env);
    const token = await eventually(async () => {
      const found = await env.get('Token', 'reports');
      expect(conditionOf(found, 'Ready')).toMatchObject({ status: 'False', reason: 'Issuing' });
      return found;
    });
    expect(conditionOf(token, 'Ready')?.message).toContain('is being deleted');
    await env.patch('Secret', 'reports', { metadata: { finalizers: null } });
    const after = await env.token('Issued', (now) => expect(now.issuance).toBe(2));
    expect((await env.jwt()).payload.jti).toBe(after.status.id);
  });

  test('is made again after a crash between the two writes', async () => {
    await using env = await immutable();
    env.faults.push({
      call: 'create Secret',
      when: 'before',
      error: new ApiError('away', { status: 503 }),
    });
    await renew(env);
    await eventually(async () => {
      await env.clock.advance(1_000);
      const token = await env.get('Token', 'reports');
      expect(conditionOf(token, 'Ready')?.reason).toBe('Issued');
      expect(token?.status.issuance).toBe(2);
    });
    await env.idle();
    expect((await env.jwt()).payload.jti).toBe((await env.get('Token', 'reports'))?.status.id);
  });
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
