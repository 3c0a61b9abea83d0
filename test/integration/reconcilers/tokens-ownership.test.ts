import { describe, expect, test } from '@jest/globals';
import { API_VERSION } from '../../../operator/api/meta.ts';
import { ApiError } from '../../../operator/ports/kube.ts';
import { bodyOf, type KubeObject, type Ref } from '../../support/api.ts';
import { eventually } from '../../support/eventually.ts';
import type { Fault } from './guarded-client.ts';
import { conditionOf, TokenEnv } from './token-env.ts';

const issued = async (spec: Record<string, unknown> = {}): Promise<TokenEnv> => {
  const env = await TokenEnv.open();
  await env.client();
  await env.create(spec);
  await env.token('Issued');
  await env.clock.advance(60_000);
  env.calls.length = 0;
  return env;
};

const renew = (env: TokenEnv, value: string) =>
  env.patch('Token', 'reports', { metadata: { annotations: { 'm2moauth.dev/renew': value } } });

/** `kubectl get -o json | jq 'del(.metadata.uid,.metadata.resourceVersion)' | kubectl create -f -`, under another name and with other metadata if given. */
const createCopy = async (env: TokenEnv, object: KubeObject, metadata: object = {}): Promise<KubeObject> => {
  const { uid: _u, resourceVersion: _r, managedFields: _m, ...rest } = object.metadata;
  return bodyOf(await env.api.create({ ...object, metadata: { ...rest, ...metadata } } as Ref));
};

const MARKS = {
  labels: { 'm2moauth.dev/own-name': null },
  annotations: { 'm2moauth.dev/made-as': null },
};

/** Takes from a Secret what versions before did not write, while no operator runs. */
const asEarlierVersion = async (env: TokenEnv): Promise<void> => {
  await env.stop();
  await env.patch('Secret', 'reports', { metadata: MARKS });
  await env.start();
  await env.idle();
};

const marksOf = (secret: KubeObject | undefined) => [
  secret?.metadata.labels?.['m2moauth.dev/own-name'],
  secret?.metadata.annotations?.['m2moauth.dev/made-as'],
];

const controllerOf = (secret: KubeObject | undefined) =>
  secret?.metadata.ownerReferences?.map(({ name, uid }) => [name, uid]);

describe('a copy of the Secret under another name', () => {
  test.each([
    ['', async () => {}],
    [', of one that an earlier version wrote,', asEarlierVersion],
  ])('%s is left alone: by a restart, a renewal, a move and a revocation', async (_, prepare) => {
    await using env = await issued();
    await prepare(env);
    const original = await env.get('Secret', 'reports');
    const mine = await createCopy(env, original as KubeObject, { name: 'mine' });
    await env.idle();
    await env.restart();
    await env.idle();
    expect(env.calls).toEqual([]);
    const isThere = async () => expect(await env.get('Secret', 'mine')).toEqual(mine);
    await isThere();
    await renew(env, '1');
    await env.token('Issued', (now) => expect(now.issuance).toBe(2));
    await isThere();
    await env.patch('Token', 'reports', { spec: { secret: { name: 'elsewhere' } } });
    await env.token('Issued', (now) => expect(now.secretRef.name).toBe('elsewhere'));
    expect(await env.get('Secret', 'reports')).toBeUndefined();
    await isThere();
    await env.patch('Token', 'reports', { spec: { revoked: true } });
    await env.token('Blacklisted');
    expect(await env.get('Secret', 'elsewhere')).toBeUndefined();
    await isThere();
    expect(env.calls.filter((call) => call.endsWith(' mine'))).toEqual([]);
  });

  test('that has the next JWT does not bring it into the status', async () => {
    await using env = await issued();
    const fault = {
      call: 'updateStatus Token',
      when: 'before',
      error: new ApiError('away', { status: 503 }),
    };
    env.faults.push(...Array.from({ length: 100 }, () => fault as Fault));
    await renew(env, '1');
    await eventually(() => expect(env.writes).toContain('update Secret reports'));
    await env.stop();
    env.faults.length = 0;
    await createCopy(env, (await env.get('Secret', 'reports')) as KubeObject, { name: 'mine' });
    await env.delete('Secret', 'reports');
    env.calls.length = 0;
    await env.start();
    await env.token('Issued', (now) => expect(now.issuance).toBe(2));
    expect(env.writes).toEqual(['create Secret reports', 'updateStatus Token reports']);
    expect(env.calls.filter((call) => call.endsWith(' mine'))).toEqual([]);
  });
});

test('a Secret of an earlier version is not rewritten for its marks, which come with its next JWT', async () => {
  await using env = await issued();
  await asEarlierVersion(env);
  expect(env.calls).toEqual([]);
  await env.patch('Secret', 'reports', { data: { token: 'AAAA' } });
  await eventually(async () => expect((await env.jwt()).payload.jti).toBeDefined());
  await env.idle();
  expect(marksOf(await env.get('Secret', 'reports'))).toEqual(['reports', 'reports of Token reports']);
  expect(env.writes).toEqual(['update Secret reports']);
});

describe('a Secret without its owner reference', () => {
  const orphan = (env: TokenEnv) =>
    env.api.patch(env.ref('Secret', 'reports'), 'json', [
      { op: 'remove', path: '/metadata/ownerReferences' },
    ]);

  test.each([
    ['', async () => {}],
    [' that an earlier version wrote', asEarlierVersion],
  ])('%s gets it back with one read of each and one write, and keeps its JWT', async (_, prepare) => {
    await using env = await issued();
    await prepare(env);
    const before = await env.jwt();
    bodyOf(await orphan(env));
    await eventually(async () =>
      expect(controllerOf(await env.get('Secret', 'reports'))).toEqual(controllerOf(before.secret)),
    );
    await env.idle();
    const after = await env.jwt();
    expect(after.text).toBe(before.text);
    expect(marksOf(after.secret)).toEqual(['reports', 'reports of Token reports']);
    expect(env.calls).toEqual(['get Secret reports', 'get Token reports', 'update Secret reports']);
    env.calls.length = 0;
    await env.restart();
    await env.idle();
    expect(env.calls).toEqual([]);
  });

  test('and with an expired JWT is renewed', async () => {
    await using env = await issued();
    await env.stop();
    bodyOf(await orphan(env));
    await env.clock.advance(2 * 3_600_000);
    await env.start();
    const token = await env.token('Issued', (now) => expect(now.issuance).toBe(2));
    expect((await env.jwt()).payload.jti).toBe(token.status.id);
    expect(controllerOf(await env.get('Secret', 'reports'))).toEqual([['reports', token.metadata.uid]]);
  });

  test.each<[string, object]>([
    ['is removed when the Token is revoked', { revoked: true }],
    ['is removed when the JWT moves elsewhere', { secret: { name: 'elsewhere' } }],
  ])('%s', async (_, spec) => {
    await using env = await issued();
    await env.stop();
    bodyOf(await orphan(env));
    await env.patch('Token', 'reports', { spec });
    await env.start();
    await eventually(async () => expect(await env.get('Secret', 'reports')).toBeUndefined());
  });
});

describe('a Token that is made again', () => {
  test('after `kubectl delete --cascade=orphan` takes over the Secret that was left', async () => {
    await using env = await issued();
    const before = await env.jwt();
    bodyOf(await env.api.delete(env.ref('Token', 'reports'), { query: { propagationPolicy: 'Orphan' } }));
    await eventually(async () => {
      expect(await env.get('Token', 'reports')).toBeUndefined();
      expect(controllerOf(await env.get('Secret', 'reports'))).toBeUndefined();
    });
    const { metadata } = await env.create();
    const token = await env.token('Issued');
    const { payload, secret } = await env.jwt();
    expect(payload.jti).toBe(token.status.id);
    expect(secret.metadata.uid).toBe(before.secret.metadata.uid);
    expect(controllerOf(secret)).toEqual([['reports', metadata.uid]]);
  });

  test.each([
    ['with its status', true, { ownerReferences: [] }],
    ['without its status', false, { ownerReferences: [] }],
    ['with its status and the owner reference of before', true, {}],
  ])('from a backup %s is Issued, with new UIDs', async (_, hasStatus, metadata) => {
    await using env = await issued();
    const token = (await env.get('Token', 'reports')) as KubeObject;
    const secret = (await env.get('Secret', 'reports')) as KubeObject;
    await env.stop();
    await env.delete('Token', 'reports');
    await eventually(async () => expect(await env.get('Secret', 'reports')).toBeUndefined());
    await createCopy(env, secret, metadata);
    const restored = await createCopy(env, token);
    if (hasStatus) {
      const { status } = token;
      bodyOf(await env.api.patch(restored, 'merge', { status }, { subresource: 'status' }));
    }
    await env.start();
    const after = await env.token('Issued', undefined);
    await eventually(async () => {
      await env.clock.advance(1000);
      expect(controllerOf(await env.get('Secret', 'reports'))).toEqual([['reports', after.metadata.uid]]);
    });
    await env.idle();
    const now = await env.get('Token', 'reports');
    expect(conditionOf(now, 'Ready')).toMatchObject({ status: 'True', reason: 'Issued' });
    expect((await env.jwt()).payload.jti).toBe(now?.status.id);
  });
});

describe('a Secret that the Token does not own is left alone, however it is labelled:', () => {
  const marked = {
    labels: { 'app.kubernetes.io/managed-by': 'm2m-oauth-operator', 'm2moauth.dev/own-name': 'reports' },
    annotations: { 'm2moauth.dev/made-as': 'reports of Token reports', 'm2moauth.dev/token-id': 'x' },
  };
  const controller = { apiVersion: 'v1', kind: 'ConfigMap', name: 'other', uid: 'other', controller: true };

  test.each<[string, { metadata?: object; jwt: 'none' | 'own' | 'other'; reads: boolean }]>([
    [
      'the label of earlier versions and no JWT',
      { metadata: { labels: marked.labels }, jwt: 'none', reads: false },
    ],
    ['all marks, and no JWT', { metadata: marked, jwt: 'none', reads: true }],
    ['all marks, and a JWT of another Token', { metadata: marked, jwt: 'other', reads: true }],
    // No label, no watch: the attempt to create it finds it.
    ['a JWT of the Token, and no marks', { jwt: 'own', reads: true }],
    [
      'a JWT of the Token, and the marks of another Secret',
      {
        metadata: {
          labels: { 'm2moauth.dev/own-name': 'other' },
          annotations: { 'm2moauth.dev/made-as': 'other of Token reports' },
        },
        jwt: 'own',
        reads: false,
      },
    ],
    [
      'a JWT of the Token and all marks, and another controller',
      { metadata: { ...marked, ownerReferences: [controller] }, jwt: 'own', reads: false },
    ],
  ])('%s', async (_, { metadata, jwt, reads }) => {
    await using env = await issued();
    await env.create({}, 'other');
    await env.token('Issued', undefined, 'other');
    const { text } = await env.jwt(jwt === 'other' ? 'other' : 'reports');
    await env.stop();
    await env.delete('Secret', 'reports');
    const token = jwt === 'none' ? 'no JWT' : text;
    const object = { ...env.ref('Secret', 'reports'), stringData: { token } };
    // Kubernetes' garbage collector deletes what an absent owner controls: it must not run before the operator looks.
    const finalizers = ['example.com/hold'];
    const made = bodyOf(
      await env.api.create({ ...object, metadata: { ...object.metadata, ...metadata, finalizers } } as Ref),
    );
    env.calls.length = 0;
    await env.start();
    const conflicting = await env.token('SecretConflict');
    expect(conditionOf(conflicting, 'Ready')?.message).toContain('is not owned by this Token');
    const found = await env.get('Secret', 'reports');
    expect([found?.metadata.uid, found?.data]).toEqual([made.metadata.uid, made.data]);
    expect(env.writes).toEqual(['updateStatus Token reports']);
    expect(env.calls.includes('get Secret reports')).toBe(reads);
    await env.patch('Secret', 'reports', { metadata: { finalizers: null } });
  });

  test('the Secret of another Token', async () => {
    await using env = await issued();
    await env.create({ secret: { name: 'reports' } }, 'other');
    await env.token('SecretConflict', undefined, 'other');
    expect((await env.jwt()).payload['m2moauth.dev/token']).toBe(`${env.namespace}/reports`);
    expect(env.writes).toEqual(['updateStatus Token other']);
  });

  test('one that a Token of the same name in another API group controls', async () => {
    await using env = await issued();
    const { uid } = (await env.get('Token', 'reports'))?.metadata ?? {};
    expect(uid).toBeDefined();
    await env.patch('Secret', 'reports', {
      metadata: {
        finalizers: ['example.com/hold'],
        ownerReferences: [
          { apiVersion: 'example.com/v1', kind: 'Token', name: 'reports', uid: 'x', controller: true },
        ],
      },
    });
    await env.token('SecretConflict');
    expect(API_VERSION).not.toContain('example.com');
    await env.patch('Secret', 'reports', { metadata: { finalizers: null } });
  });
});
