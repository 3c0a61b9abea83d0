import { describe, expect, test } from '@jest/globals';
import type { KubeObject } from '../../support/api.ts';
import { eventually } from '../../support/eventually.ts';
import { type Mutation, mutateSecrets, removeEntry, removeField, setEntry } from './mutating-policy.ts';
import { conditionOf, TokenEnv } from './token-env.ts';

const MANAGED_BY = 'app.kubernetes.io/managed-by';

const renew = (env: TokenEnv, value: string) =>
  env.patch('Token', 'reports', { metadata: { annotations: { 'm2moauth.dev/renew': value } } });

const secretWrites = (env: TokenEnv) => env.writes.filter((call) => call.includes(' Secret '));

/** Waits until the JWT of that issuance is in the Secret, and nothing is to be done. */
const delivered = async (env: TokenEnv, issuance: number): Promise<KubeObject> => {
  const token = await env.token('Issued', (now) => expect(now.issuance).toBe(issuance));
  expect((await env.jwt()).payload.jti).toBe(token.status.id);
  return token;
};

/** With a policy from the start: delivered, renewed twice, at rest after a restart, and removed; each JWT with one write of its Secret. */
const liveWith = async (env: TokenEnv, fields: readonly string[]): Promise<void> => {
  const expectNamed = (token: KubeObject) => {
    const condition = conditionOf(token, 'SecretOverwritten');
    expect(condition?.status).toBe(fields.length > 0 ? 'True' : undefined);
    for (const field of fields) expect(condition?.message).toContain(field);
  };
  await env.client();
  await env.create({ secret: { labels: { app: 'x' }, annotations: { note: 'y' } } });
  expectNamed(await delivered(env, 1));
  for (const issuance of [2, 3]) {
    await renew(env, String(issuance));
    expectNamed(await delivered(env, issuance));
  }
  expect(secretWrites(env)).toEqual([
    'create Secret reports',
    'update Secret reports',
    'update Secret reports',
  ]);
  expect(env.writes.length).toBeLessThanOrEqual(6);
  expect(env.events.filter(({ reason }) => reason === 'SecretOverwritten')).toHaveLength(
    fields.length > 0 ? 1 : 0,
  );

  env.calls.length = 0;
  await env.restart();
  await env.idle();
  await env.patch('Token', 'reports', { metadata: { labels: { looked: 'again' } } });
  await env.idle();
  expect(env.writes).toEqual([]);

  await env.patch('Token', 'reports', { spec: { revoked: true } });
  const revoked = await env.token('Blacklisted');
  expect(conditionOf(revoked, 'SecretOverwritten')).toBeUndefined();
};

describe('under a policy for Secrets that', () => {
  test.each<[string, Mutation, readonly string[]]>([
    [
      'sets app.kubernetes.io/managed-by',
      { patch: setEntry('labels', MANAGED_BY, 'platform') },
      [`metadata.labels["${MANAGED_BY}"]`],
    ],
    ['adds a label', { patch: setEntry('labels', 'example.com/team', 'a') }, []],
    ['adds an annotation', { patch: setEntry('annotations', 'example.com/checked', 'a') }, []],
    ['changes a label of spec.secret', { patch: setEntry('labels', 'app', 'z') }, ['metadata.labels["app"]']],
    [
      'removes the mark in the annotations',
      { patch: removeEntry('annotations', 'm2moauth.dev/made-as') },
      ['metadata.annotations["m2moauth.dev/made-as"]'],
    ],
    [
      'sets the label by which Secrets are watched',
      { patch: setEntry('labels', 'm2moauth.dev/own-name', 'x') },
      ['metadata.labels["m2moauth.dev/own-name"]'],
    ],
    [
      'removes the ID of the token',
      { patch: removeEntry('annotations', 'm2moauth.dev/token-id') },
      ['metadata.annotations["m2moauth.dev/token-id"]'],
    ],
    ['removes owner references', { patch: removeField('ownerReferences') }, ['metadata.ownerReferences']],
  ])('%s, JWTs are delivered, renewed and removed', async (_, mutation, fields) => {
    await using env = await TokenEnv.open();
    await using _policy = await mutateSecrets(env.api, env.namespace, mutation);
    await liveWith(env, fields);
    expect(await env.get('Secret', 'reports')).toBeUndefined();
  });

  test('removes all labels, they are delivered, renewed and removed', async () => {
    await using env = await TokenEnv.open();
    await using _policy = await mutateSecrets(env.api, env.namespace, { patch: removeField('labels') });
    await env.client();
    await env.create();
    for (const issuance of [1, 2]) {
      if (issuance > 1) await renew(env, String(issuance));
      const token = await delivered(env, issuance);
      expect(conditionOf(token, 'SecretOverwritten')?.message).toContain('m2moauth.dev/own-name');
    }
    expect(secretWrites(env)).toEqual(['create Secret reports', 'update Secret reports']);
    await env.patch('Token', 'reports', { spec: { revoked: true } });
    await env.token('Blacklisted');
    expect(await env.get('Secret', 'reports')).toBeUndefined();
  });

  test('adds a finalizer, they are delivered and renewed, and the Secret is being deleted in the end', async () => {
    await using env = await TokenEnv.open();
    {
      const patch =
        'has(object.metadata.finalizers) ? [] : [JSONPatch{op: "add", path: "/metadata/finalizers", value: ["example.com/hold"]}]';
      await using _policy = await mutateSecrets(env.api, env.namespace, { patch, operations: ['CREATE'] });
      await liveWith(env, []);
    }
    const secret = await env.get('Secret', 'reports');
    expect(secret?.metadata.deletionTimestamp).toBeDefined();
    await env.patch('Secret', 'reports', { metadata: { finalizers: null } });
    expect(await env.get('Secret', 'reports')).toBeUndefined();
  });

  test('makes them immutable, each JWT is in a new one', async () => {
    await using env = await TokenEnv.open();
    const patch = '[JSONPatch{op: "add", path: "/immutable", value: true}]';
    await using _policy = await mutateSecrets(env.api, env.namespace, { patch, operations: ['CREATE'] });
    await env.client();
    await env.create();
    await delivered(env, 1);
    await renew(env, '2');
    await delivered(env, 2);
    expect(secretWrites(env)).toEqual([
      'create Secret reports',
      'delete Secret reports',
      'create Secret reports',
    ]);
  });

  test('changes the JWT, the Token says so and retries at intervals; without the policy it is Issued', async () => {
    await using env = await TokenEnv.open();
    {
      const patch =
        'has(object.data) && "token" in object.data ? [JSONPatch{op: "replace", path: "/data/token", value: "AAAA"}] : []';
      await using _policy = await mutateSecrets(env.api, env.namespace, { patch });
      await env.client();
      await env.create();
      const token = await env.token('SecretRefused');
      expect(conditionOf(token, 'Ready')?.message).toContain('data["token"]');
      expect(secretWrites(env)).toEqual(['create Secret reports']);
      await env.clock.advance(14_000);
      await env.idle();
      expect(secretWrites(env)).toHaveLength(1);
      await eventually(async () => {
        await env.clock.advance(1_000);
        await env.idle();
        expect(secretWrites(env)).toHaveLength(2);
      });
    }
    await eventually(async () => {
      await env.clock.advance(15_000);
      await env.idle();
      expect(conditionOf(await env.get('Token', 'reports'), 'Ready')?.reason).toBe('Issued');
    });
    const token = await env.token('Issued');
    expect((await env.jwt()).payload.jti).toBe(token.status.id);
  });
});

test('a policy that comes later is named after one repair, and what it changed is as before with the JWT after its end', async () => {
  await using env = await TokenEnv.open();
  await env.client();
  await env.create();
  await env.token('Issued');
  env.calls.length = 0;
  {
    const patch = setEntry('labels', MANAGED_BY, 'platform');
    await using _policy = await mutateSecrets(env.api, env.namespace, { patch });
    await env.patch('Secret', 'reports', { metadata: { labels: { theirs: 'x' } } });
    await env.token('Issued', () => {});
    await eventually(async () => {
      const condition = conditionOf(await env.get('Token', 'reports'), 'SecretOverwritten');
      expect(condition?.message).toContain(MANAGED_BY);
    });
    await env.idle();
    expect(secretWrites(env)).toHaveLength(1);
  }
  await eventually(async () => {
    const probe = { apiVersion: 'v1', kind: 'Secret', metadata: { namespace: env.namespace, name: 'probe' } };
    const { body } = await env.api.create(probe, { query: { dryRun: 'All' } });
    expect(body.metadata.annotations).toBeUndefined();
  });
  await renew(env, '1');
  await eventually(async () => {
    const token = await env.get('Token', 'reports');
    expect(token?.status.issuance).toBe(2);
    expect(conditionOf(token, 'SecretOverwritten')).toBeUndefined();
  });
  expect((await env.get('Secret', 'reports'))?.metadata.labels).toHaveProperty(
    [MANAGED_BY],
    'm2m-oauth-operator',
  );
});

describe('another controller that changes the Secret back at once', () => {
  /** Waits until the operator has undone it, each time, and does it again. */
  const fight = async (
    env: TokenEnv,
    patch: object,
    isUndone: (secret: KubeObject | undefined) => boolean,
  ) => {
    for (let round = 0; round < 3; round += 1) {
      await env.patch('Secret', 'reports', patch);
      await eventually(async () => isUndone(await env.get('Secret', 'reports')));
      await env.idle();
    }
    await env.patch('Secret', 'reports', patch);
    return eventually(async () => {
      const token = await env.get('Token', 'reports');
      expect(conditionOf(token, 'SecretOverwritten')).toMatchObject({
        status: 'True',
        reason: 'FieldsChanged',
      });
      return token as KubeObject;
    });
  };
  const issued = async (): Promise<TokenEnv> => {
    const env = await TokenEnv.open();
    await env.client();
    await env.create();
    await env.token('Issued');
    env.calls.length = 0;
    return env;
  };

  test('of a label is named after three repairs, and left alone until the next JWT', async () => {
    await using env = await issued();
    const labels = { [MANAGED_BY]: 'other' };
    const isUndone = (secret: KubeObject | undefined) => secret?.metadata.labels?.[MANAGED_BY] !== 'other';
    const token = await fight(env, { metadata: { labels } }, isUndone);
    expect(conditionOf(token, 'SecretOverwritten')?.message).toContain(`metadata.labels["${MANAGED_BY}"]`);
    await env.clock.advance(60_000);
    await env.idle();
    expect(secretWrites(env)).toHaveLength(3);
    await renew(env, '1');
    await env.token('Issued', (now) => expect(now.issuance).toBe(2));
    await eventually(async () =>
      expect(conditionOf(await env.get('Token', 'reports'), 'SecretOverwritten')).toBeUndefined(),
    );
    expect(secretWrites(env)).toHaveLength(4);
  });

  test('of the JWT is named after three repairs, and undone every 20 s until it ends', async () => {
    await using env = await issued();
    const isUndone = (secret: KubeObject | undefined) => secret?.data.token !== 'AAAA';
    const token = await fight(env, { data: { token: 'AAAA' } }, isUndone);
    expect(conditionOf(token, 'SecretOverwritten')?.message).toContain('data["token"]');
    await env.idle();
    expect(secretWrites(env)).toHaveLength(3);
    await eventually(async () => {
      await env.clock.advance(5_000);
      await env.idle();
      expect(isUndone(await env.get('Secret', 'reports'))).toBe(true);
      expect(conditionOf(await env.get('Token', 'reports'), 'SecretOverwritten')).toBeUndefined();
    });
    expect(secretWrites(env)).toHaveLength(4);
  });
});
