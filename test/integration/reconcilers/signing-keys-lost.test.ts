import { generateKeyPairSync } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { bodyOf, type KubeObject } from '../../support/api.ts';
import { conditionOf, SigningKeyEnv } from './signing-key-env.ts';

let env: SigningKeyEnv;
beforeEach(async () => {
  env = await SigningKeyEnv.open();
});
afterEach(async () => {
  await env[Symbol.asyncDispose]();
});

const newPem = (): string =>
  generateKeyPairSync('ec', { namedCurve: 'P-256' })
    .privateKey.export({ format: 'pem', type: 'pkcs8' })
    .toString();
describe('what is lost', () => {
  test('the active private key: the standby takes over, and another standby is made', async () => {
    await env.create();
    const first = await env.settled();
    const secret = (await env.keys()).find(({ kid }) => kid === first.active)?.secretRef?.name ?? '';
    await env.api.delete(env.ref('Secret', secret));
    const second = await env.settled(1);
    expect(second).toMatchObject({ active: first.standby, retired: [first.active] });
  });

  test('its content: a PEM that a user put there never signs', async () => {
    await env.create();
    const first = await env.settled();
    const secret = (await env.keys()).find(({ kid }) => kid === first.active)?.secretRef?.name ?? '';
    const data = { 'private.pem': Buffer.from(newPem()).toString('base64') };
    bodyOf(await env.api.patch(env.ref('Secret', secret), 'merge', { data }));
    const second = await env.settled(1);
    expect(second).toMatchObject({ active: first.standby, retired: [first.active] });
    await env.until(async () => expect((await env.api.get(env.ref('Secret', secret))).status).toBe(404));
  });

  test('labels and annotations: put back, and no key is taken for lost', async () => {
    await env.create();
    const first = await env.settled();
    for (const { metadata } of await env.keySecrets()) {
      const patch = { metadata: { labels: null, annotations: null } };
      bodyOf(await env.api.patch(env.ref('Secret', metadata.name), 'merge', patch));
    }
    await env.until(async () => {
      const secrets = await env.keySecrets();
      const kids = secrets.map(({ metadata }) => metadata.annotations?.['m2moauth.dev/kid']);
      expect(kids.sort()).toEqual([first.active, first.standby].sort());
      for (const { metadata } of secrets) {
        expect(metadata.labels).toEqual({
          'app.kubernetes.io/managed-by': 'm2m-oauth-operator',
          'm2moauth.dev/own-name': metadata.name,
          'm2moauth.dev/signing-key': 'default',
        });
      }
    });
    expect(await env.settled()).toEqual(first);
  });

  test('the right to change Secrets, which somebody made immutable: keys rotate, and the Secrets remember', async () => {
    await env.create();
    const first = await env.settled();
    await env.idle();
    const pemOf = (secret: KubeObject | undefined): string => secret?.data['private.pem'];
    const secretOf = async (kid: string) =>
      (await env.keySecrets()).find(({ metadata }) => metadata.annotations?.['m2moauth.dev/kid'] === kid);
    const pem = pemOf(await secretOf(first.standby));
    for (const { metadata } of await env.keySecrets())
      bodyOf(await env.api.patch(env.ref('Secret', metadata.name), 'merge', { immutable: true }));
    await env.patch({ metadata: { annotations: { 'm2moauth.dev/rotate': 'one' } } });
    const second = await env.settled(1);
    expect(second).toMatchObject({ active: first.standby, retired: [first.active] });
    await env.until(async () => {
      const active = await secretOf(second.active);
      expect(active?.data['retired.json']).toBeDefined();
      expect(pemOf(active)).toBe(pem);
      expect(await secretOf(first.active)).toBeUndefined();
    });
    expect(await env.settled(1)).toEqual(second);
  });

  test('the status, or the whole SigningKey: it is rebuilt from the Secrets, retired keys too', async () => {
    await env.create();
    await env.settled();
    await env.patch({ metadata: { annotations: { 'm2moauth.dev/rotate': 'one' } } });
    const before = await env.settled(1);
    await env.until(async () => {
      const active = (await env.keySecrets()).find(
        ({ metadata }) => metadata.annotations?.['m2moauth.dev/kid'] === before.active,
      );
      expect(active?.data['retired.json']).toBeDefined();
    });
    await env.idle();
    const jwks = await env.jwks();
    const status = { keys: null, lastHandledRotate: null };
    bodyOf(
      await env.api.patch(env.ref('SigningKey', 'default'), 'merge', { status }, { subresource: 'status' }),
    );
    await env.until(async () => expect(await env.settled(1)).toEqual(before));
    await env.api.delete(env.ref('SigningKey', 'default'));
    await env.until(() => expect(env.keyring.phase(before.active)).toBeUndefined());
    expect(await env.keySecrets()).toHaveLength(2);
    await env.create();
    expect(await env.settled(1)).toEqual(before);
    await env.until(async () => expect(await env.jwks()).toEqual(jwks));
  });

  test('a SigningKey that is made again does not bring a compromised key back', async () => {
    await env.create();
    const { active: compromised } = await env.settled();
    await env.patch({ spec: { compromised: [compromised] } });
    await env.settled(1);
    await env.until(async () => {
      const secrets = await env.keySecrets();
      expect(secrets).toHaveLength(2);
      for (const { data } of secrets) expect(data['compromised.json']).toBeDefined();
    });
    await env.api.delete(env.ref('SigningKey', 'default'));
    await env.until(() => expect(env.keyring.phase(compromised)).toBeUndefined());
    await env.create();
    await env.settled();
    await env.until(async () => expect((await env.jwks()).keys).toHaveLength(2));
    expect((await env.jwks()).keys.map(({ kid }) => kid)).not.toContain(compromised);
    expect(env.keyring.phase(compromised)).toBeUndefined();
  });

  test('a compromised key that is restored with its Secret from a backup does not come back', async () => {
    await env.create();
    const { active: compromised } = await env.settled();
    const backup = (await env.keySecrets()).filter(
      ({ metadata }) => metadata.annotations?.['m2moauth.dev/kid'] === compromised,
    );
    expect(backup).toHaveLength(1);
    await env.patch({ spec: { compromised: [compromised] } });
    await env.settled(1);
    await env.api.delete(env.ref('SigningKey', 'default'));
    for (const { metadata } of await env.keySecrets()) await env.api.delete(env.ref('Secret', metadata.name));
    await env.restart();
    for (const { metadata, type, data } of backup) {
      const { name, labels, annotations } = metadata;
      const base = env.ref('Secret', name);
      const restored = { ...base, type, data, metadata: { ...base.metadata, labels, annotations } };
      bodyOf(await env.api.create(restored));
    }
    await env.create();
    const { active, standby } = await env.settled();
    expect([active, standby]).not.toContain(compromised);
    expect((await env.jwks()).keys.map(({ kid }) => kid)).not.toContain(compromised);
  });

  test('a quota that leaves no room for keys is NoActiveKey, and is got over', async () => {
    const quota = {
      apiVersion: 'v1',
      kind: 'ResourceQuota',
      metadata: { namespace: env.namespace, name: 'none' },
      spec: { hard: { 'count/secrets': '0' } },
    };
    const path = `/api/v1/namespaces/${env.namespace}/resourcequotas`;
    bodyOf(await env.api.request('POST', path, quota));
    await env.until(async () => {
      const { body } = await env.api.request('GET', `${path}/none`);
      expect(body.status?.hard).toBeDefined();
    });
    await env.create();
    const object = await env.ready('NoActiveKey');
    expect(conditionOf(object).message).toContain('403');
    bodyOf(await env.api.request('DELETE', `${path}/none`));
    await env.ready('Active');
    await env.settled();
  });
});
