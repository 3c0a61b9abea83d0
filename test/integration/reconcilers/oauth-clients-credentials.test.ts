import { generateKeyPairSync } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { ApiError } from '../../../operator/ports/kube.ts';
import { bodyOf, type KubeObject } from '../../support/api.ts';
import { ClientEnv, conditionOf } from './client-env.ts';
import { mutateSecrets, setEntry } from './mutating-policy.ts';

let env: ClientEnv;
beforeEach(async () => {
  env = await ClientEnv.open();
});
afterEach(async () => {
  await env[Symbol.asyncDispose]();
});

const text = (secret: KubeObject, key: string): string =>
  Buffer.from(secret.data[key], 'base64').toString('utf8');
const messageOf = (client: KubeObject): string => conditionOf(client, 'CredentialsReady').message;
const publicJwk = () =>
  generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey.export({ format: 'jwk' });

describe('a client secret', () => {
  const clientSecret = { secretRef: { name: 'creds' } };

  test('is waited for: a Secret, its key, and something in it, each is seen at once', async () => {
    await env.create('app', { authentication: { clientSecret } });
    expect(messageOf(await env.reason('app', 'CredentialsReady', 'SecretInvalid'))).toContain('missing');
    await env.reason('app', 'Ready', 'Registered');
    await env.secret('creds', { other: 'x' });
    await env.until(async () => expect(messageOf(await env.get('app'))).toContain('key "client_secret"'));
    await env.patch('creds', { stringData: { client_secret: '\n' } }, 'Secret');
    await env.until(async () => expect(messageOf(await env.get('app'))).toContain('empty'));
    await env.patch('creds', { stringData: { client_secret: 'hunter2\n' } }, 'Secret');
    await env.reason('app', 'CredentialsReady', 'Verified');
    await env.api.delete(env.ref('Secret', 'creds'));
    await env.reason('app', 'CredentialsReady', 'SecretInvalid');
    expect(env.writes.filter((call) => call.includes(' Secret '))).toEqual([]);
    expect(JSON.stringify([await env.get('app'), env.events, env.kube.log.lines])).not.toContain('hunter2');
    expect(env.events.map(({ reason }) => reason)).toEqual(['SecretInvalid', 'SecretInvalid']);
  });

  test('of fewer than 16 characters works, and is named as weak until it is replaced', async () => {
    const weak = async (): Promise<{ status: string; reason: string; message: string } | undefined> =>
      conditionOf(await env.get('app'), 'CredentialsWeak');
    await env.secret('creds', { client_secret: 'fifteen letters' });
    await env.create('app', { authentication: { clientSecret } });
    await env.reason('app', 'CredentialsReady', 'Verified');
    expect(await weak()).toMatchObject({ status: 'True', reason: 'SecretTooShort' });
    expect((await weak())?.message).toContain('key "client_secret" of Secret "creds"');
    const long = { client_secret: 'sixteen letters.', client_secret_previous: 'short' };
    await env.patch('creds', { stringData: long }, 'Secret');
    await env.until(async () =>
      expect((await weak())?.message).toContain('key "client_secret_previous" of Secret "creds"'),
    );
    await env.patch('creds', { data: { client_secret_previous: null } }, 'Secret');
    await env.until(async () => expect(await weak()).toBeUndefined());
    expect(conditionOf(await env.get('app'), 'CredentialsReady').status).toBe('True');
    expect(JSON.stringify([await env.get('app'), env.events, env.kube.log.lines])).not.toContain('letters');
  });

  test('is generated: client_id, 43 characters, owned by the client; put back where it is gone, kept where it is not', async () => {
    await env.create('app', {
      clientID: 'the-app',
      authentication: { clientSecret: { ...clientSecret, generate: true } },
    });
    const client = await env.reason('app', 'CredentialsReady', 'Verified');
    const secret = await env.get('creds', { kind: 'Secret' });
    expect(conditionOf(client, 'CredentialsWeak')).toBeUndefined();
    expect(text(secret, 'client_id')).toBe('the-app');
    expect(text(secret, 'client_secret')).toMatch(/^[A-Za-z0-9_-]{43}$/u);
    expect(secret.type).toBe('Opaque');
    expect(secret.metadata.labels).toEqual({
      'app.kubernetes.io/managed-by': 'm2m-oauth-operator',
      'm2moauth.dev/own-name': 'creds',
    });
    expect(secret.metadata.annotations).toEqual({ 'm2moauth.dev/made-as': 'creds of OAuthClient app' });
    expect(secret.metadata.ownerReferences).toEqual([
      {
        apiVersion: 'm2moauth.dev/v1alpha1',
        kind: 'OAuthClient',
        name: 'app',
        uid: client.metadata.uid,
        controller: true,
      },
    ]);
    await env.patch(
      'creds',
      {
        metadata: { labels: null },
        data: { client_id: 'eA==' },
        stringData: { client_secret_previous: 'old' },
      },
      'Secret',
    );
    await env.until(async () => {
      const found = await env.get('creds', { kind: 'Secret' });
      expect([text(found, 'client_id'), text(found, 'client_secret')]).toEqual([
        'the-app',
        text(secret, 'client_secret'),
      ]);
      expect(found.metadata.labels).toEqual(secret.metadata.labels);
      expect(text(found, 'client_secret_previous')).toBe('old');
    });
    await env.patch('creds', { data: { client_secret: null } }, 'Secret');
    const second = await env.until(async () => {
      const found = text(await env.get('creds', { kind: 'Secret' }), 'client_secret');
      expect(found).toMatch(/^[A-Za-z0-9_-]{43}$/u);
      return found;
    });
    expect(second).not.toBe(text(secret, 'client_secret'));
    await env.api.delete(env.ref('Secret', 'creds'));
    await env.until(async () =>
      expect(text(await env.get('creds', { kind: 'Secret' }), 'client_secret')).not.toBe(second),
    );
    expect(JSON.stringify([await env.get('app'), env.events, env.kube.log.lines])).not.toContain(second);
  });

  describe('that was generated', () => {
    const generate = { authentication: { clientSecret: { ...clientSecret, generate: true } } };
    const secretOf = () => env.get('creds', { kind: 'Secret' });
    const ownerOf = (secret: KubeObject) => secret.metadata.ownerReferences?.map(({ uid }) => uid);
    const removeOwner = async () =>
      bodyOf(
        await env.api.patch(env.ref('Secret', 'creds'), 'json', [
          { op: 'remove', path: '/metadata/ownerReferences' },
        ]),
      );

    test.each<[string, object]>([
      ['', {}],
      [
        ' of an earlier version',
        { labels: { 'm2moauth.dev/own-name': null }, annotations: { 'm2moauth.dev/made-as': null } },
      ],
      [' that somebody made immutable', { immutable: true }],
    ])(
      'is kept, and its Secret%s gets its owner reference back',
      async (_, { immutable, ...metadata }: { immutable?: boolean }) => {
        await env.create('app', generate);
        const client = await env.reason('app', 'CredentialsReady', 'Verified');
        const before = await secretOf();
        await env.stop();
        await env.patch('creds', { metadata, ...(immutable && { immutable }) }, 'Secret');
        env.calls.length = 0;
        await env.start();
        await env.idle();
        expect(env.writes).toEqual([]);
        await removeOwner();
        const after = await env.until(async () => {
          const secret = await secretOf();
          expect(ownerOf(secret)).toEqual([client.metadata.uid]);
          return secret;
        });
        expect([after.data, after.metadata.uid]).toEqual([before.data, before.metadata.uid]);
        expect(after.metadata.annotations).toEqual(before.metadata.annotations);
        await env.idle();
        expect(env.writes).toEqual(['update Secret creds']);
      },
    );

    test('is kept by a client that is made again after `kubectl delete --cascade=orphan`', async () => {
      await env.create('app', generate);
      await env.reason('app', 'CredentialsReady', 'Verified');
      const before = await secretOf();
      const query = { propagationPolicy: 'Orphan' };
      bodyOf(await env.api.delete(env.ref('OAuthClient', 'app'), { query }));
      await env.until(async () => {
        expect((await env.api.get(env.ref('OAuthClient', 'app'))).status).toBe(404);
        expect(ownerOf(await secretOf())).toBeUndefined();
      });
      const { metadata } = await env.create('app', generate);
      await env.until(async () => expect(ownerOf(await secretOf())).toEqual([metadata.uid]));
      expect((await secretOf()).data).toEqual(before.data);
    });

    test('works under a policy that sets the managed-by label of Secrets, which the condition names', async () => {
      const label = 'app.kubernetes.io/managed-by';
      await using _policy = await mutateSecrets(env.api, env.namespace, {
        patch: setEntry('labels', label, 'platform'),
      });
      await env.create('app', generate);
      const client = await env.reason('app', 'CredentialsReady', 'Verified');
      expect(messageOf(client)).toContain(`metadata.labels["${label}"] of Secret "creds"`);
      const before = await secretOf();
      await env.patch('app', { metadata: { labels: { looked: 'again' } } });
      await env.idle();
      expect((await secretOf()).data).toEqual(before.data);
      expect(env.writes.filter((call) => call.includes(' Secret '))).toEqual(['create Secret creds']);
    });

    test('is not changed in a Secret that only has the label of the operator', async () => {
      const labels = { 'app.kubernetes.io/managed-by': 'm2m-oauth-operator' };
      const ref = env.ref('Secret', 'creds');
      const stringData = { client_secret: 'the secret of somebody else' };
      const metadata = { ...ref.metadata, labels };
      const made = bodyOf(await env.api.create({ ...ref, metadata, stringData }));
      await env.create('app', generate);
      await env.reason('app', 'CredentialsReady', 'Verified');
      await env.idle();
      expect((await secretOf()).metadata.resourceVersion).toBe(made.metadata.resourceVersion);
    });

    test('is generated anew in an immutable Secret that has none', async () => {
      await env.create('app', generate);
      const client = await env.reason('app', 'CredentialsReady', 'Verified');
      await env.patch('creds', { data: null, immutable: true }, 'Secret');
      await env.until(async () => {
        const secret = await secretOf();
        expect(text(secret, 'client_secret')).toMatch(/^[A-Za-z0-9_-]{43}$/u);
        expect(ownerOf(secret)).toEqual([client.metadata.uid]);
        expect(secret).not.toHaveProperty('immutable');
      });
      await env.reason('app', 'CredentialsReady', 'Verified');
    });
  });

  test('of an unmanaged Secret is used where it exists, and never written', async () => {
    await env.secret('creds', { other: 'x' });
    await env.create('app', { authentication: { clientSecret: { ...clientSecret, generate: true } } });
    expect(messageOf(await env.reason('app', 'CredentialsReady', 'SecretInvalid'))).toContain(
      'key "client_secret"',
    );
    await env.idle();
    expect((await env.get('creds', { kind: 'Secret' })).data).toEqual({ other: 'eA==' });
    await env.patch('creds', { stringData: { client_secret: 'mine' } }, 'Secret');
    await env.reason('app', 'CredentialsReady', 'Verified');
    expect(env.writes.filter((call) => call.includes(' Secret '))).toEqual([]);
  });

  test('is not generated for who does not hold the client ID', async () => {
    await env.create('first', { clientID: 'shared' });
    await env.reason('first', 'Ready', 'Registered');
    await env.create('second', {
      clientID: 'shared',
      authentication: { clientSecret: { ...clientSecret, generate: true } },
    });
    await env.reason('second', 'Ready', 'ClientIDConflict');
    await env.reason('second', 'CredentialsReady', 'SecretInvalid');
    expect((await env.api.get(env.ref('Secret', 'creds'))).status).toBe(404);
  });

  test('that a quota leaves no room for is SecretInvalid, and tried again', async () => {
    const path = `/api/v1/namespaces/${env.namespace}/resourcequotas`;
    const quota = { apiVersion: 'v1', kind: 'ResourceQuota', metadata: { name: 'none' } };
    bodyOf(await env.api.request('POST', path, { ...quota, spec: { hard: { 'count/secrets': '0' } } }));
    await env.until(async () => {
      const { body } = await env.api.request('GET', `${path}/none`);
      expect(body.status?.hard).toBeDefined();
    });
    await env.create('app', { authentication: { clientSecret: { ...clientSecret, generate: true } } });
    expect(messageOf(await env.reason('app', 'CredentialsReady', 'SecretInvalid'))).toContain('403');
    bodyOf(await env.api.request('DELETE', `${path}/none`));
    await env.until(async () => {
      await env.idle();
      await env.clock.advance(60_000);
      expect(conditionOf(await env.get('app'), 'CredentialsReady').reason).toBe('Verified');
    });
  });

  test.each(['create Secret', 'updateStatus OAuthClient'])(
    'survives a failure after "%s": one Secret, one secret',
    async (call) => {
      env.faults.push({ call, when: 'after', error: new ApiError('away', { status: 503 }) });
      await env.create('app', { authentication: { clientSecret: { ...clientSecret, generate: true } } });
      await env.reason('app', 'CredentialsReady', 'Verified');
      expect(env.writes.filter((write) => write.includes(' Secret '))).toEqual(['create Secret creds']);
    },
  );

  test('does not count where another method is configured', async () => {
    await env.create('app', {
      authentication: {
        clientSecret: { ...clientSecret, generate: true },
        serviceAccounts: [{ namespace: 'a', name: 'b' }],
      },
    });
    expect(messageOf(await env.reason('app', 'CredentialsReady', 'Verified'))).toContain('serviceAccounts');
    expect((await env.api.get(env.ref('Secret', 'creds'))).status).toBe(404);
  });
});

describe('inline keys', () => {
  test('are Verified where each can verify', async () => {
    await env.create('app', {
      authentication: {
        privateKeyJWT: { jwks: { keys: [publicJwk(), { ...publicJwk(), kid: 'b', alg: 'ES256' }] } },
      },
    });
    expect(messageOf(await env.reason('app', 'CredentialsReady', 'Verified'))).toContain('privateKeyJWT');
  });

  test('that can not be read are SecretInvalid', async () => {
    const jwk = publicJwk();
    await env.create('app', {
      authentication: { privateKeyJWT: { jwks: { keys: [publicJwk(), { ...jwk, x: jwk.y }] } } },
    });
    expect(messageOf(await env.reason('app', 'CredentialsReady', 'SecretInvalid'))).toContain('key 1');
  });
});

test('a client that goes ends what is followed for it', async () => {
  await env.create('app', { authentication: { clientSecret: { secretRef: { name: 'creds' } } } });
  await env.reason('app', 'CredentialsReady', 'SecretInvalid');
  await env.api.delete(env.ref('OAuthClient', 'app'));
  await env.idle();
  env.calls.length = 0;
  bodyOf(await env.api.create({ ...env.ref('Secret', 'creds'), stringData: { client_secret: 'x' } }));
  await env.idle();
  expect(env.calls).toEqual([]);
});
