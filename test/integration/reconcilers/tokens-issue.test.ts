import { describe, expect, test } from '@jest/globals';
import { tokenId } from '../../../operator/domain/token/token-id.ts';
import { bodyOf } from '../../support/api.ts';
import { eventually } from '../../support/eventually.ts';
import { conditionOf, TokenStage } from './token-stage.ts';

describe('a Token whose client allows it', () => {
  test('becomes a JWT in a Secret with exactly two writes', async () => {
    await using stage = await TokenStage.open();
    await stage.client({
      allowedAudiences: ['api'],
      allowedScopes: ['read', 'write'],
      insertTokenClaims: { tier: 1 },
    });
    const made = await stage.create({ audience: ['api'], tokenName: 'nightly' });
    const token = await stage.token('Issued');
    const { payload, header, secret } = await stage.jwt();
    const id = tokenId(made.metadata.uid, 1);
    expect(header).toMatchObject({ alg: 'ES256', typ: 'at+jwt', kid: stage.keyring.active()?.kid });
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
      'm2moauth.dev/token': `${stage.namespace}/reports`,
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
        labels: { 'app.kubernetes.io/managed-by': 'm2m-oauth-operator' },
        annotations: { 'm2moauth.dev/token-id': id },
        ownerReferences: [{ kind: 'Token', name: 'reports', uid: made.metadata.uid, controller: true }],
      },
    });
    expect(secret.metadata.ownerReferences?.[0]).not.toHaveProperty('blockOwnerDeletion');
    expect(stage.calls).toEqual(['create Secret reports', 'updateStatus Token reports']);
    expect(stage.events.map(({ reason }) => reason)).toEqual(['Issued']);
    expect(stage.kube.metrics.calls).toContainEqual(['tokenIssued', 'Issued']);
  });

  test('is not touched again by metadata, by a restart, or by a client whose metadata changes', async () => {
    await using stage = await TokenStage.open();
    await stage.client();
    await stage.create();
    const before = await stage.token('Issued');
    await stage.patch('OAuthClient', 'app', { metadata: { labels: { a: 'b' } } });
    const labelled = await stage.patch('Token', 'reports', {
      metadata: { labels: { a: 'b' }, annotations: { c: 'd' } },
    });
    await stage.idle();
    stage.calls.length = 0;
    await stage.restart();
    await stage.idle();
    const after = await stage.token('Issued');
    expect(stage.calls).toEqual([]);
    expect(after.metadata.resourceVersion).toBe(labelled.metadata.resourceVersion);
    expect(after.status).toEqual(before.status);
  });

  test('with a client that takes any lifetime never expires, and says typ JWT', async () => {
    await using stage = await TokenStage.open();
    await stage.client({ accessTokenLifetime: '0s' });
    await stage.create();
    const token = await stage.token('Issued');
    const { payload, header } = await stage.jwt();
    expect(payload).not.toHaveProperty('exp');
    expect(header.typ).toBe('JWT');
    expect(token.status).not.toHaveProperty('expiration');
    expect(token.status).not.toHaveProperty('renewalTime');
  });
});

describe('a Token whose spec, client or key changes', () => {
  test('is issued anew for another claim, with ten minutes for the old JWT', async () => {
    await using stage = await TokenStage.open();
    await stage.client();
    await stage.create();
    const { status } = await stage.token('Issued');
    await stage.patch('Token', 'reports', { spec: { tokenName: 'other' } });
    const token = await stage.token('Issued', (now) => expect(now.issuance).toBe(2));
    expect(token.status.previous).toEqual([
      { id: status.id, issuedAt: status.issuedAt, expiration: '2026-01-01T00:10:00Z', keyID: status.keyID },
    ]);
    expect(token.status.version).toBe(2);
    expect((await stage.jwt()).payload).toMatchObject({ jti: token.status.id, name: 'other' });
    expect(stage.events.at(-1)).toMatchObject({ reason: 'Reissued', type: 'Normal' });
  });

  test('is issued anew when the client’s limit falls', async () => {
    await using stage = await TokenStage.open();
    await stage.client();
    await stage.create();
    await stage.token('Issued');
    await stage.patch('OAuthClient', 'app', { spec: { accessTokenLifetime: '10m' } });
    const token = await stage.token('Issued', (now) => expect(now.issuance).toBe(2));
    expect(token.status.expiration).toBe('2026-01-01T00:10:00Z');
  });

  test('is issued anew without overlap when its key is compromised, and not when it only retires', async () => {
    await using stage = await TokenStage.open();
    await stage.client();
    await stage.create();
    const { status } = await stage.token('Issued');
    const next = await stage.keyring.rotate();
    await stage.idle();
    expect(stage.writes).toHaveLength(2);
    stage.keyring.set(status.keyID, 'Compromised');
    const token = await stage.token('Issued', (now) => expect(now.issuance).toBe(2));
    expect(token.status.keyID).toBe(next);
    expect(token.status).not.toHaveProperty('previous');
  });

  test('without expiration is issued anew when its key retires', async () => {
    await using stage = await TokenStage.open();
    await stage.client({ accessTokenLifetime: '0s' });
    await stage.create();
    await stage.token('Issued');
    const next = await stage.keyring.rotate();
    const token = await stage.token('Issued', (now) => expect(now.keyID).toBe(next));
    expect(token.status.previous).toMatchObject([{ expiration: '2026-01-01T01:00:00Z' }]);
  });

  test('is issued anew, without overlap, for a client that was deleted and made again', async () => {
    await using stage = await TokenStage.open();
    await stage.client();
    await stage.create();
    const first = await stage.token('Issued');
    await stage.delete('OAuthClient', 'app');
    await stage.token('ClientNotFound');
    expect((await stage.jwt()).payload.jti).toBe(first.status.id);
    const client = await stage.client();
    const token = await stage.token('Issued');
    expect(token.status).toMatchObject({ issuance: 2, clientUID: client.metadata.uid });
    expect(token.status).not.toHaveProperty('previous');
  });
});

describe('the Secret of a Token', () => {
  const issued = async (spec = {}): Promise<TokenStage> => {
    const stage = await TokenStage.open();
    await stage.client();
    await stage.create(spec);
    await stage.token('Issued');
    await stage.clock.advance(60_000);
    stage.calls.length = 0;
    return stage;
  };

  test('is put back with the same JWT when it is deleted', async () => {
    await using stage = await issued();
    const before = await stage.jwt();
    await stage.delete('Secret', 'reports');
    await eventually(async () => expect(await stage.get('Secret', 'reports')).toBeDefined());
    await stage.idle();
    expect((await stage.jwt()).payload).toEqual(before.payload);
    expect(stage.calls).toEqual(['create Secret reports']);
    expect(stage.events.at(-1)?.reason).toBe('SecretRepaired');
  });

  test('is put back when its JWT is overwritten; keys and labels of others stay', async () => {
    await using stage = await issued();
    const before = await stage.jwt();
    await stage.patch('Secret', 'reports', {
      metadata: { labels: { theirs: 'x' } },
      data: { token: 'AAAA', other: 'BBBB' },
    });
    await eventually(async () => expect((await stage.jwt()).payload).toEqual(before.payload));
    await stage.idle();
    const { secret } = await stage.jwt();
    expect(secret.data.other).toBe('BBBB');
    expect(secret.metadata.labels).toMatchObject({ theirs: 'x' });
    expect(stage.writes).toEqual(['update Secret reports']);
    stage.calls.length = 0;
    await stage.restart();
    await stage.idle();
    expect(stage.calls).toEqual([]);
  });

  test('gets back its label, its annotation, and a JWT of somebody else’s making is replaced', async () => {
    await using stage = await issued();
    const before = await stage.jwt();
    await stage.patch('Secret', 'reports', {
      metadata: { labels: { 'app.kubernetes.io/managed-by': null } },
    });
    await eventually(async () =>
      expect((await stage.jwt()).secret.metadata.labels).toHaveProperty(['app.kubernetes.io/managed-by']),
    );
    await stage.idle();
    expect((await stage.jwt()).text).toBe(before.text);
    await stage.patch('Secret', 'reports', { metadata: { annotations: { 'm2moauth.dev/token-id': 'x' } } });
    await eventually(async () =>
      expect((await stage.jwt()).secret.metadata.annotations?.['m2moauth.dev/token-id']).toBe(
        before.payload.jti,
      ),
    );
    await stage.idle();
    expect((await stage.jwt()).text).toBe(before.text);
  });

  test('is not repaired in a hot loop with somebody who undoes it', async () => {
    await using stage = await issued();
    for (let n = 0; n < 3; n += 1) {
      await stage.delete('Secret', 'reports');
      await eventually(async () => expect(await stage.get('Secret', 'reports')).toBeDefined());
      await stage.idle();
    }
    await stage.delete('Secret', 'reports');
    await eventually(() => expect(stage.clock.untilNext).toBe(20_000));
    await stage.idle();
    expect(await stage.get('Secret', 'reports')).toBeUndefined();
    await stage.clock.advance(20_000);
    await eventually(async () => expect(await stage.get('Secret', 'reports')).toBeDefined());
  });

  test('gets another number when the key that signed it no longer signs', async () => {
    await using stage = await issued();
    const next = await stage.keyring.rotate();
    await stage.delete('Secret', 'reports');
    await stage.token('Issued', (now) => expect(now).toMatchObject({ issuance: 2, keyID: next }));
  });

  test('moves with spec.secret: same JWT, the old Secret goes, others’ Secrets stay', async () => {
    await using stage = await issued();
    const before = await stage.jwt();
    await stage.patch('Token', 'reports', {
      spec: { secret: { name: 'elsewhere', key: 'jwt', labels: { app: 'x' }, annotations: { note: 'y' } } },
    });
    const token = await stage.token('Issued', (now) => expect(now.secretRef.name).toBe('elsewhere'));
    expect(stage.writes).toEqual([
      'create Secret elsewhere',
      'delete Secret reports',
      'updateStatus Token reports',
    ]);
    const { payload, secret } = await stage.jwt('elsewhere', 'jwt');
    expect(payload).toEqual(before.payload);
    expect(secret.metadata).toMatchObject({ labels: { app: 'x' }, annotations: { note: 'y' } });
    expect(await stage.get('Secret', 'reports')).toBeUndefined();
    expect(token.status.issuance).toBe(1);
    await stage.patch('Token', 'reports', { spec: { secret: { key: null, labels: null } } });
    await eventually(async () =>
      expect(Object.keys((await stage.get('Secret', 'elsewhere'))?.data)).toEqual(['token']),
    );
    await stage.idle();
    expect((await stage.jwt('elsewhere')).secret.metadata.labels).not.toHaveProperty('app');
  });

  test('goes with the Token, by its owner reference', async () => {
    await using stage = await issued();
    await stage.delete('Token', 'reports');
    await eventually(async () => expect(await stage.get('Secret', 'reports')).toBeUndefined(), {
      timeoutMs: 30_000,
    });
    await stage.idle();
    expect(stage.writes).toEqual([]);
  }, 40_000);

  test('is waited for while a finalizer of somebody’s holds it', async () => {
    await using stage = await issued();
    await stage.patch('Secret', 'reports', { metadata: { finalizers: ['example.com/hold'] } });
    await stage.delete('Secret', 'reports');
    const token = await stage.token('Issuing');
    expect(conditionOf(token, 'Ready')?.message).toContain('being deleted');
    bodyOf(
      await stage.api.patch(stage.ref('Secret', 'reports'), 'merge', { metadata: { finalizers: null } }),
    );
    await stage.token('Issued', (now) => expect(now.issuance).toBe(1));
  });
});
