import { describe, expect, test } from '@jest/globals';
import { ApiError } from '../../../operator/ports/kube.ts';
import { bodyOf } from '../../support/api.ts';
import { eventually } from '../../support/eventually.ts';
import type { Fault } from './guarded-client.ts';
import { conditionOf, TokenEnv } from './token-env.ts';

type Spec = Record<string, unknown>;

describe('a Token that may not be issued says why, writes once, and is issued when the cause goes', () => {
  const rows: [string, string, Spec | undefined, Spec, (env: TokenEnv) => Promise<unknown>][] = [
    ['ClientNotFound', 'there is no client', undefined, {}, (env) => env.client()],
    [
      'ClientNotReady',
      'the client gets no tokens',
      { allowedGrantTypes: [] },
      {},
      (env) => env.patch('OAuthClient', 'app', { spec: { allowedGrantTypes: ['client_credentials'] } }),
    ],
    [
      'ClientSuspended',
      'the client is suspended',
      { suspended: true },
      {},
      (env) => env.patch('OAuthClient', 'app', { spec: { suspended: false } }),
    ],
    [
      'InvalidAudience',
      'an audience is not allowed',
      { allowedAudiences: ['a'] },
      { audience: ['b'] },
      (env) => env.patch('OAuthClient', 'app', { spec: { allowedAudiences: ['a', 'b'] } }),
    ],
    [
      'InvalidScope',
      'a scope is not allowed',
      { allowedScopes: ['a'] },
      { scope: ['a', 'b'] },
      (env) => env.patch('Token', 'reports', { spec: { scope: ['a'] } }),
    ],
    [
      'InvalidExpiration',
      'an expiration is past when first seen',
      {},
      { expiration: '2025-12-31T00:00:00Z' },
      (env) => env.patch('Token', 'reports', { spec: { expiration: '2026-01-01T00:30:00Z' } }),
    ],
    [
      'InvalidExpiration',
      'a lifetime is longer than the client allows',
      {},
      { lifetime: '2h' },
      (env) => env.patch('OAuthClient', 'app', { spec: { accessTokenLifetime: '2h' } }),
    ],
  ];

  test.each(rows)('%s: %s', async (reason, _, client, spec, cure) => {
    await using env = await TokenEnv.open();
    if (client) await env.client(client);
    await env.create(spec);
    const token = await env.token(reason);
    expect(conditionOf(token, 'Ready')).toMatchObject({ status: 'False', observedGeneration: 1 });
    expect(conditionOf(token, 'Stalled') !== undefined).toBe(reason === 'InvalidExpiration');
    expect(env.calls).toEqual(['updateStatus Token reports']);
    expect(env.events.map((event) => event.reason)).toEqual([reason]);
    expect(env.events[0]).toMatchObject({ type: 'Warning' });
    await env.clock.advance(10_000);
    await env.idle();
    expect(env.calls).toHaveLength(1);
    await cure(env);
    const cured = await env.token('Issued');
    expect(conditionOf(cured, 'Stalled')).toBeUndefined();
    expect(cured.status).toMatchObject({ issuance: 1 });
  });

  test('ClientNotReady: the client holds no client ID yet', async () => {
    await using env = await TokenEnv.open();
    const spec = { owner: 'alice' };
    const client = bodyOf(await env.api.create({ ...env.ref('OAuthClient', 'app'), spec }));
    await env.create();
    await env.token('ClientNotReady');
    bodyOf(await env.api.patch(client, 'merge', { status: { clientID: 'app' } }, { subresource: 'status' }));
    await env.token('Issued');
  });

  test('NamespaceNotAllowed: until the namespace has the label that the client asks for', async () => {
    await using env = await TokenEnv.open();
    const selector = { matchExpressions: [{ key: 'team', operator: 'In', values: ['a', 'b'] }] };
    await env.client({ allowedNamespaces: { from: 'Selector', selector } });
    await env.create();
    await env.token('NamespaceNotAllowed');
    const namespace = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: env.namespace } };
    bodyOf(await env.api.patch(namespace, 'merge', { metadata: { labels: { team: 'b' } } }));
    await env.token('Issued');
    bodyOf(await env.api.patch(namespace, 'merge', { metadata: { labels: { team: null } } }));
    await env.token('NamespaceNotAllowed');
    expect(await env.get('Secret', 'reports')).toBeDefined();
  });

  test('SigningKeyNotReady: until there is an active key', async () => {
    await using env = await TokenEnv.open();
    env.keyring.set(env.keyring.active()?.kid ?? '', 'Retired');
    await env.client();
    await env.create();
    await env.token('SigningKeyNotReady');
    await env.keyring.rotate();
    await env.token('Issued');
  });

  test('SecretConflict: until the unmanaged Secret is deleted, which is never written', async () => {
    await using env = await TokenEnv.open();
    const unmanaged = { ...env.ref('Secret', 'reports'), data: { password: 'AAAA' } };
    const before = bodyOf(await env.api.create(unmanaged));
    await env.client();
    await env.create();
    await env.token('SecretConflict');
    await eventually(() => env.isSeen('reports'));
    await env.clock.advance(10_000);
    await env.idle();
    expect(env.writes).toEqual(['updateStatus Token reports']);
    expect((await env.get('Secret', 'reports'))?.metadata.resourceVersion).toBe(
      before.metadata.resourceVersion,
    );
    await env.delete('Secret', 'reports');
    await env.token('Issued');
    expect(env.isSeen('reports')).toBe(false);
    expect((await env.jwt()).secret.data).not.toHaveProperty('password');
  });

  test('SecretConflict: two Tokens ask for one Secret, the second gets it when the first moves away', async () => {
    await using env = await TokenEnv.open();
    await env.client();
    await env.create({ secret: { name: 'shared' } }, 'first');
    await env.token('Issued', () => {}, 'first');
    await env.create({ secret: { name: 'shared' } }, 'second');
    await env.token('SecretConflict', () => {}, 'second');
    await env.patch('Token', 'first', { spec: { secret: { name: 'own' } } });
    await env.token('Issued', () => {}, 'second');
    expect((await env.jwt('shared')).payload.name).toBe('second');
    expect((await env.jwt('own')).payload.name).toBe('first');
  });

  test('SecretRefused: a quota stands in the way, and is asked again later and later', async () => {
    await using env = await TokenEnv.open();
    const quota = {
      apiVersion: 'v1',
      kind: 'ResourceQuota',
      metadata: { name: 'none', namespace: env.namespace },
      spec: { hard: { 'count/secrets': '0' } },
    };
    const path = `/api/v1/namespaces/${env.namespace}/resourcequotas`;
    bodyOf(await env.api.request('POST', path, quota));
    await eventually(async () => {
      const { body } = await env.api.request('GET', `${path}/none`);
      expect(body.status?.hard).toBeDefined();
    });
    await env.client();
    await env.create();
    const token = await env.token('SecretRefused');
    expect(conditionOf(token, 'Ready')?.message).toContain('403');
    expect(env.writes).toEqual(['updateStatus Token reports']);
    expect(env.clock.untilNext).toBe(15_000);
    await env.clock.advance(15_000);
    await eventually(() => expect(env.clock.untilNext).toBe(15_000));
    await env.clock.advance(15_000);
    await eventually(() => expect(env.clock.untilNext).toBe(30_000));
    bodyOf(await env.api.request('DELETE', `${path}/none`));
    await eventually(async () => {
      await env.clock.advance(30_000);
      await env.idle();
      expect(conditionOf(await env.get('Token', 'reports'), 'Ready')?.reason).toBe('Issued');
    });
  });

  test('SecretRefused: what was False for another reason before is retried as early', async () => {
    await using env = await TokenEnv.open();
    await env.create();
    await env.token('ClientNotFound');
    await env.clock.advance(3_600_000);
    const error = new ApiError('quota', { status: 403, reason: 'Forbidden' });
    const fault: Fault = { call: 'create Secret', when: 'before', error };
    env.faults.push(...Array.from({ length: 100 }, () => fault));
    await env.client();
    await env.token('SecretRefused');
    expect(env.clock.untilNext).toBe(15_000);
    await env.clock.advance(15_000);
    await eventually(() => expect(env.clock.untilNext).toBe(15_000));
    await env.clock.advance(15_000);
    await eventually(() => expect(env.clock.untilNext).toBe(30_000));
  });

  test('False leaves a valid Secret alone until its JWT expires, then removes it', async () => {
    await using env = await TokenEnv.open();
    await env.client();
    await env.create();
    const { status } = await env.token('Issued');
    await env.patch('OAuthClient', 'app', { spec: { suspended: true } });
    await env.token('ClientSuspended');
    await env.clock.advance(3_599_000);
    await env.idle();
    expect((await env.jwt()).payload.jti).toBe(status.id);
    await env.clock.advance(1_000);
    await env.token('ClientSuspended', (now) => expect(now).not.toHaveProperty('secretRef'));
    expect(await env.get('Secret', 'reports')).toBeUndefined();
    await env.patch('OAuthClient', 'app', { spec: { suspended: false } });
    await env.token('Issued', (now) => expect(now.issuance).toBe(2));
  });

  test('a client that is suspended and resumed changes nothing in the JWT', async () => {
    await using env = await TokenEnv.open();
    await env.client();
    await env.create();
    await env.token('Issued');
    const before = await env.jwt();
    await env.patch('OAuthClient', 'app', { spec: { suspended: true } });
    await env.token('ClientSuspended');
    await env.patch('OAuthClient', 'app', { spec: { suspended: false } });
    await env.token('Issued');
    expect((await env.jwt()).text).toBe(before.text);
  });
});
