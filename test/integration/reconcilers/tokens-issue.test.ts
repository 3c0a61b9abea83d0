import { describe, expect, test } from '@jest/globals';
import { tokenId } from '../../../operator/domain/token/declared-token.ts';
import { bodyOf } from '../../support/api.ts';
import { eventually } from '../../support/eventually.ts';
import { conditionOf, TokenEnv } from './token-env.ts';

describe('a Token whose client allows it', () => {
  test('becomes a JWT in a Secret with exactly two writes', async () => {
    await using env = await TokenEnv.open();
    await env.client({
      allowedAudiences: ['api'],
      allowedScopes: ['read', 'write'],
      insertTokenClaims: { tier: 1 },
    });
    const made = await env.create({ audience: ['api'], tokenName: 'nightly' });
    const token = await env.token('Issued');
    const { payload, header, secret } = await env.jwt();
    const id = tokenId(made.metadata.uid, 1);
    expect(header).toMatchObject({ alg: 'ES256', typ: 'at+jwt', kid: env.keyring.active()?.kid });
    expect(payload).toEqual({
      iss: 'https://issuer.example/base',
      jti: id,
      sub: 'alice',
      aud: ['api'],
      iat: 1767225600,
      exp: 1767229200,
      client_id: 'app',
      scope: 'read write',
      name: 'nightly',
      'm2moauth.dev/token': `${env.namespace}/reports`,
      tier: 1,
    });
    expect(token.status).toMatchObject({
      id,
      version: 1,
      issuance: 1,
      owner: 'alice',
      audience: ['api'],
      scope: ['read', 'write'],
      issuedAt: '2026-01-01T00:00:00Z',
      expiration: '2026-01-01T01:00:00Z',
      secretRef: { name: 'reports' },
      observedGeneration: 1,
    });
    expect(secret).toMatchObject({
      type: 'Opaque',
      metadata: {
        labels: {
          'app.kubernetes.io/managed-by': 'm2m-oauth-operator',
          'm2moauth.dev/own-name': 'reports',
        },
        annotations: {
          'm2moauth.dev/token-id': id,
          'm2moauth.dev/made-as': 'reports of Token reports',
        },
        ownerReferences: [{ kind: 'Token', name: 'reports', uid: made.metadata.uid, controller: true }],
      },
    });
    expect(secret.metadata.ownerReferences?.[0]).not.toHaveProperty('blockOwnerDeletion');
    expect(env.calls).toEqual(['create Secret reports', 'updateStatus Token reports']);
    expect(env.events.map(({ reason }) => reason)).toEqual(['Issued']);
    expect(env.kube.metrics.calls).toContainEqual(['tokenIssued', 'Issued']);
  });

  test('is not touched again by metadata, by a restart, or by a client whose metadata changes', async () => {
    await using env = await TokenEnv.open();
    await env.client();
    await env.create();
    const before = await env.token('Issued');
    await env.patch('OAuthClient', 'app', { metadata: { labels: { a: 'b' } } });
    const labelled = await env.patch('Token', 'reports', {
      metadata: { labels: { a: 'b' }, annotations: { c: 'd' } },
    });
    await env.idle();
    env.calls.length = 0;
    await env.restart();
    await env.idle();
    const after = await env.token('Issued');
    expect(env.calls).toEqual([]);
    expect(after.metadata.resourceVersion).toBe(labelled.metadata.resourceVersion);
    expect(after.status).toEqual(before.status);
  });

  test('with a client that takes any lifetime never expires, and says typ JWT', async () => {
    await using env = await TokenEnv.open();
    await env.client({ accessTokenLifetime: '0s' });
    await env.create();
    const token = await env.token('Issued');
    const { payload, header } = await env.jwt();
    expect(payload).not.toHaveProperty('exp');
    expect(header.typ).toBe('JWT');
    expect(token.status).not.toHaveProperty('expiration');
    expect(token.status).not.toHaveProperty('renewalTime');
  });
});

describe('a Token whose spec, client or key changes', () => {
  test('is issued anew for another claim, with ten minutes for the old JWT', async () => {
    await using env = await TokenEnv.open();
    await env.client();
    await env.create();
    const { status } = await env.token('Issued');
    await env.patch('Token', 'reports', { spec: { tokenName: 'other' } });
    const token = await env.token('Issued', (now) => expect(now.issuance).toBe(2));
    expect(token.status.previous).toEqual([
      { id: status.id, issuedAt: status.issuedAt, expiration: '2026-01-01T00:10:00Z', keyID: status.keyID },
    ]);
    expect(token.status.version).toBe(2);
    expect((await env.jwt()).payload).toMatchObject({ jti: token.status.id, name: 'other' });
    expect(env.events.at(-1)).toMatchObject({ reason: 'Reissued', type: 'Normal' });
  });

  test('is issued anew when the client’s limit falls', async () => {
    await using env = await TokenEnv.open();
    await env.client();
    await env.create();
    await env.token('Issued');
    await env.patch('OAuthClient', 'app', { spec: { accessTokenLifetime: '10m' } });
    const token = await env.token('Issued', (now) => expect(now.issuance).toBe(2));
    expect(token.status.expiration).toBe('2026-01-01T00:10:00Z');
  });

  test('is issued anew without overlap when its key is compromised, and not when it only retires', async () => {
    await using env = await TokenEnv.open();
    await env.client();
    await env.create();
    const { status } = await env.token('Issued');
    const next = await env.keyring.rotate();
    await env.idle();
    expect(env.writes).toHaveLength(2);
    env.keyring.set(status.keyID, 'Compromised');
    const token = await env.token('Issued', (now) => expect(now.issuance).toBe(2));
    expect(token.status.keyID).toBe(next);
    expect(token.status).not.toHaveProperty('previous');
  });

  test('without expiration is issued anew when its key retires', async () => {
    await using env = await TokenEnv.open();
    await env.client({ accessTokenLifetime: '0s' });
    await env.create();
    await env.token('Issued');
    const next = await env.keyring.rotate();
    const token = await env.token('Issued', (now) => expect(now.keyID).toBe(next));
    expect(token.status.previous).toMatchObject([{ expiration: '2026-01-01T01:00:00Z' }]);
  });

  test('is issued anew, without overlap, for a client that was deleted and made again', async () => {
    await using env = await TokenEnv.open();
    await env.client();
    await env.create();
    const first = await env.token('Issued');
    await env.delete('OAuthClient', 'app');
    await env.token('ClientNotFound');
    expect((await env.jwt()).payload.jti).toBe(first.status.id);
    const client = await env.client();
    const token = await env.token('Issued');
    expect(token.status).toMatchObject({ issuance: 2, clientUID: client.metadata.uid });
    expect(token.status).not.toHaveProperty('previous');
  });
});

describe('the Secret of a Token', () => {
  const issued = async (spec = {}): Promise<TokenEnv> => {
    const env = await TokenEnv.open();
    await env.client();
    await env.create(spec);
    await env.token('Issued');
    await env.clock.advance(60_000);
    env.calls.length = 0;
    return env;
  };

  test('is put back with the same JWT when it is deleted', async () => {
    await using env = await issued();
    const before = await env.jwt();
    await env.delete('Secret', 'reports');
    await eventually(async () => expect(await env.get('Secret', 'reports')).toBeDefined());
    await env.idle();
    expect((await env.jwt()).payload).toEqual(before.payload);
    expect(env.calls).toEqual(['create Secret reports']);
    expect(env.events.at(-1)?.reason).toBe('SecretRepaired');
  });

  test('is put back when its JWT is overwritten; keys and labels of others stay', async () => {
    await using env = await issued();
    const before = await env.jwt();
    await env.patch('Secret', 'reports', {
      metadata: { labels: { theirs: 'x' } },
      data: { token: 'AAAA', other: 'BBBB' },
    });
    await eventually(async () => expect((await env.jwt()).payload).toEqual(before.payload));
    await env.idle();
    const { secret } = await env.jwt();
    expect(secret.data.other).toBe('BBBB');
    expect(secret.metadata.labels).toMatchObject({ theirs: 'x' });
    expect(env.writes).toEqual(['update Secret reports']);
    env.calls.length = 0;
    await env.restart();
    await env.idle();
    expect(env.calls).toEqual([]);
  });

  test('gets back its label and its annotation, and a JWT that the operator did not issue is replaced', async () => {
    await using env = await issued();
    const before = await env.jwt();
    await env.patch('Secret', 'reports', {
      metadata: { labels: { 'app.kubernetes.io/managed-by': null } },
    });
    await eventually(async () =>
      expect((await env.jwt()).secret.metadata.labels).toHaveProperty(['app.kubernetes.io/managed-by']),
    );
    await env.idle();
    expect((await env.jwt()).text).toBe(before.text);
    await env.patch('Secret', 'reports', { metadata: { annotations: { 'm2moauth.dev/token-id': 'x' } } });
    await eventually(async () =>
      expect((await env.jwt()).secret.metadata.annotations?.['m2moauth.dev/token-id']).toBe(
        before.payload.jti,
      ),
    );
    await env.idle();
    expect((await env.jwt()).text).toBe(before.text);
  });

  test('is not repaired in a hot loop with a user who reverts it', async () => {
    await using env = await issued();
    for (let n = 0; n < 3; n += 1) {
      await env.delete('Secret', 'reports');
      await eventually(async () => expect(await env.get('Secret', 'reports')).toBeDefined());
      await env.idle();
    }
    await env.delete('Secret', 'reports');
    await eventually(() => expect(env.clock.untilNext).toBe(20_000));
    await env.idle();
    expect(await env.get('Secret', 'reports')).toBeUndefined();
    await env.clock.advance(20_000);
    await eventually(async () => expect(await env.get('Secret', 'reports')).toBeDefined());
  });

  test('gets another number when the key that signed it no longer signs', async () => {
    await using env = await issued();
    const next = await env.keyring.rotate();
    await env.delete('Secret', 'reports');
    await env.token('Issued', (now) => expect(now).toMatchObject({ issuance: 2, keyID: next }));
  });

  test('moves with spec.secret: same JWT, the old Secret goes, others’ Secrets stay', async () => {
    await using env = await issued();
    const before = await env.jwt();
    await env.patch('Token', 'reports', {
      spec: { secret: { name: 'elsewhere', key: 'jwt', labels: { app: 'x' }, annotations: { note: 'y' } } },
    });
    const token = await env.token('Issued', (now) => expect(now.secretRef.name).toBe('elsewhere'));
    expect(env.writes).toEqual([
      'create Secret elsewhere',
      'delete Secret reports',
      'updateStatus Token reports',
    ]);
    const { payload, secret } = await env.jwt('elsewhere', 'jwt');
    expect(payload).toEqual(before.payload);
    expect(secret.metadata).toMatchObject({ labels: { app: 'x' }, annotations: { note: 'y' } });
    expect(await env.get('Secret', 'reports')).toBeUndefined();
    expect(token.status.issuance).toBe(1);
    await env.patch('Token', 'reports', { spec: { secret: { key: null, labels: null } } });
    await eventually(async () =>
      expect(Object.keys((await env.get('Secret', 'elsewhere'))?.data)).toEqual(['token']),
    );
    await env.idle();
    expect((await env.jwt('elsewhere')).secret.metadata.labels).not.toHaveProperty('app');
  });

  test('goes with the Token, by its owner reference', async () => {
    await using env = await issued();
    await env.delete('Token', 'reports');
    await eventually(async () => expect(await env.get('Secret', 'reports')).toBeUndefined(), {
      timeoutMs: 30_000,
    });
    await env.idle();
    expect(env.writes).toEqual([]);
  }, 40_000);

  test('is waited for while a finalizer holds it', async () => {
    await using env = await issued();
    await env.patch('Secret', 'reports', { metadata: { finalizers: ['example.com/hold'] } });
    await env.delete('Secret', 'reports');
    const token = await env.token('Issuing');
    expect(conditionOf(token, 'Ready')?.message).toContain('being deleted');
    bodyOf(await env.api.patch(env.ref('Secret', 'reports'), 'merge', { metadata: { finalizers: null } }));
    await env.token('Issued', (now) => expect(now.issuance).toBe(1));
  });
});
