import { describe, expect, test } from '@jest/globals';
import { ApiError } from '../../../operator/ports/kube.ts';
import { bodyOf } from '../../support/api.ts';
import { eventually } from '../../support/eventually.ts';
import type { Fault } from './guarded-client.ts';
import { conditionOf, TokenStage } from './token-stage.ts';

type Spec = Record<string, unknown>;

describe('a Token that may not be issued says why, writes once, and is issued when the cause goes', () => {
  const rows: [string, string, Spec | undefined, Spec, (stage: TokenStage) => Promise<unknown>][] = [
    ['ClientNotFound', 'there is no client', undefined, {}, (stage) => stage.client()],
    [
      'ClientNotReady',
      'the client gets no tokens',
      { allowedGrantTypes: [] },
      {},
      (stage) => stage.patch('OAuthClient', 'app', { spec: { allowedGrantTypes: ['client_credentials'] } }),
    ],
    [
      'ClientSuspended',
      'the client is suspended',
      { suspended: true },
      {},
      (stage) => stage.patch('OAuthClient', 'app', { spec: { suspended: false } }),
    ],
    [
      'InvalidAudience',
      'an audience is not allowed',
      { allowedAudiences: ['a'] },
      { audience: ['b'] },
      (stage) => stage.patch('OAuthClient', 'app', { spec: { allowedAudiences: ['a', 'b'] } }),
    ],
    [
      'InvalidScope',
      'a scope is not allowed',
      { allowedScopes: ['a'] },
      { scope: ['a', 'b'] },
      (stage) => stage.patch('Token', 'reports', { spec: { scope: ['a'] } }),
    ],
    [
      'InvalidExpiration',
      'an expiration is past when first seen',
      {},
      { expiration: '2025-12-31T00:00:00Z' },
      (stage) => stage.patch('Token', 'reports', { spec: { expiration: '2026-01-01T00:30:00Z' } }),
    ],
    [
      'InvalidExpiration',
      'a lifetime is longer than the client allows',
      {},
      { lifetime: '2h' },
      (stage) => stage.patch('OAuthClient', 'app', { spec: { accessTokenLifetime: '2h' } }),
    ],
  ];

  test.each(rows)('%s: %s', async (reason, _, client, spec, cure) => {
    await using stage = await TokenStage.open();
    if (client) await stage.client(client);
    await stage.create(spec);
    const token = await stage.token(reason);
    expect(conditionOf(token, 'Ready')).toMatchObject({ status: 'False', observedGeneration: 1 });
    expect(conditionOf(token, 'Stalled') !== undefined).toBe(reason === 'InvalidExpiration');
    expect(stage.calls).toEqual(['updateStatus Token reports']);
    expect(stage.events.map((event) => event.reason)).toEqual([reason]);
    expect(stage.events[0]).toMatchObject({ type: 'Warning' });
    await stage.clock.advance(10_000);
    await stage.idle();
    expect(stage.calls).toHaveLength(1);
    await cure(stage);
    const cured = await stage.token('Issued');
    expect(conditionOf(cured, 'Stalled')).toBeUndefined();
    expect(cured.status).toMatchObject({ issuance: 1 });
  });

  test('ClientNotReady: the client holds no client ID yet', async () => {
    await using stage = await TokenStage.open();
    const spec = { owner: 'alice' };
    const client = bodyOf(await stage.api.create({ ...stage.ref('OAuthClient', 'app'), spec }));
    await stage.create();
    await stage.token('ClientNotReady');
    bodyOf(
      await stage.api.patch(client, 'merge', { status: { clientID: 'app' } }, { subresource: 'status' }),
    );
    await stage.token('Issued');
  });

  test('NamespaceNotAllowed: until the namespace has the label that the client asks for', async () => {
    await using stage = await TokenStage.open();
    const selector = { matchExpressions: [{ key: 'team', operator: 'In', values: ['a', 'b'] }] };
    await stage.client({ allowedNamespaces: { from: 'Selector', selector } });
    await stage.create();
    await stage.token('NamespaceNotAllowed');
    const namespace = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: stage.namespace } };
    bodyOf(await stage.api.patch(namespace, 'merge', { metadata: { labels: { team: 'b' } } }));
    await stage.token('Issued');
    bodyOf(await stage.api.patch(namespace, 'merge', { metadata: { labels: { team: null } } }));
    await stage.token('NamespaceNotAllowed');
    expect(await stage.get('Secret', 'reports')).toBeDefined();
  });

  test('SigningKeyNotReady: until there is an active key', async () => {
    await using stage = await TokenStage.open();
    stage.keyring.set(stage.keyring.active()?.kid ?? '', 'Retired');
    await stage.client();
    await stage.create();
    await stage.token('SigningKeyNotReady');
    await stage.keyring.rotate();
    await stage.token('Issued');
  });

  test('SecretConflict: until somebody else’s Secret goes, which is never touched', async () => {
    await using stage = await TokenStage.open();
    const foreign = { ...stage.ref('Secret', 'reports'), data: { password: 'AAAA' } };
    const before = bodyOf(await stage.api.create(foreign));
    await stage.client();
    await stage.create();
    await stage.token('SecretConflict');
    await eventually(() => stage.isSeen('reports'));
    await stage.clock.advance(10_000);
    await stage.idle();
    expect(stage.writes).toEqual(['updateStatus Token reports']);
    expect((await stage.get('Secret', 'reports'))?.metadata.resourceVersion).toBe(
      before.metadata.resourceVersion,
    );
    await stage.delete('Secret', 'reports');
    await stage.token('Issued');
    expect(stage.isSeen('reports')).toBe(false);
    expect((await stage.jwt()).secret.data).not.toHaveProperty('password');
  });

  test('SecretConflict: two Tokens ask for one Secret, the second gets it when the first moves away', async () => {
    await using stage = await TokenStage.open();
    await stage.client();
    await stage.create({ secret: { name: 'shared' } }, 'first');
    await stage.token('Issued', () => {}, 'first');
    await stage.create({ secret: { name: 'shared' } }, 'second');
    await stage.token('SecretConflict', () => {}, 'second');
    await stage.patch('Token', 'first', { spec: { secret: { name: 'own' } } });
    await stage.token('Issued', () => {}, 'second');
    expect((await stage.jwt('shared')).payload.name).toBe('second');
    expect((await stage.jwt('own')).payload.name).toBe('first');
  });

  test('SecretRefused: a quota stands in the way, and is asked again later and later', async () => {
    await using stage = await TokenStage.open();
    const quota = {
      apiVersion: 'v1',
      kind: 'ResourceQuota',
      metadata: { name: 'none', namespace: stage.namespace },
      spec: { hard: { 'count/secrets': '0' } },
    };
    const path = `/api/v1/namespaces/${stage.namespace}/resourcequotas`;
    bodyOf(await stage.api.request('POST', path, quota));
    await eventually(async () => {
      const { body } = await stage.api.request('GET', `${path}/none`);
      expect(body.status?.hard).toBeDefined();
    });
    await stage.client();
    await stage.create();
    const token = await stage.token('SecretRefused');
    expect(conditionOf(token, 'Ready')?.message).toContain('403');
    expect(stage.writes).toEqual(['updateStatus Token reports']);
    expect(stage.clock.untilNext).toBe(15_000);
    await stage.clock.advance(15_000);
    await eventually(() => expect(stage.clock.untilNext).toBe(15_000));
    await stage.clock.advance(15_000);
    await eventually(() => expect(stage.clock.untilNext).toBe(30_000));
    bodyOf(await stage.api.request('DELETE', `${path}/none`));
    await eventually(async () => {
      await stage.clock.advance(30_000);
      await stage.idle();
      expect(conditionOf(await stage.get('Token', 'reports'), 'Ready')?.reason).toBe('Issued');
    });
  }, 30_000);

  test('SecretRefused: what was False for another reason before is tried again as soon', async () => {
    await using stage = await TokenStage.open();
    await stage.create();
    await stage.token('ClientNotFound');
    await stage.clock.advance(3_600_000);
    const error = new ApiError('quota', { status: 403, reason: 'Forbidden' });
    const fault: Fault = { call: 'create Secret', when: 'before', error };
    stage.faults.push(...Array.from({ length: 100 }, () => fault));
    await stage.client();
    await stage.token('SecretRefused');
    expect(stage.clock.untilNext).toBe(15_000);
    await stage.clock.advance(15_000);
    await eventually(() => expect(stage.clock.untilNext).toBe(15_000));
    await stage.clock.advance(15_000);
    await eventually(() => expect(stage.clock.untilNext).toBe(30_000));
  });

  test('False leaves a good Secret alone until its JWT expires, then removes it', async () => {
    await using stage = await TokenStage.open();
    await stage.client();
    await stage.create();
    const { status } = await stage.token('Issued');
    await stage.patch('OAuthClient', 'app', { spec: { suspended: true } });
    await stage.token('ClientSuspended');
    await stage.clock.advance(3_599_000);
    await stage.idle();
    expect((await stage.jwt()).payload.jti).toBe(status.id);
    await stage.clock.advance(1_000);
    await stage.token('ClientSuspended', (now) => expect(now).not.toHaveProperty('secretRef'));
    expect(await stage.get('Secret', 'reports')).toBeUndefined();
    await stage.patch('OAuthClient', 'app', { spec: { suspended: false } });
    await stage.token('Issued', (now) => expect(now.issuance).toBe(2));
  });

  test('a client that is suspended and resumed changes nothing in the JWT', async () => {
    await using stage = await TokenStage.open();
    await stage.client();
    await stage.create();
    await stage.token('Issued');
    const before = await stage.jwt();
    await stage.patch('OAuthClient', 'app', { spec: { suspended: true } });
    await stage.token('ClientSuspended');
    await stage.patch('OAuthClient', 'app', { spec: { suspended: false } });
    await stage.token('Issued');
    expect((await stage.jwt()).text).toBe(before.text);
  });
});
