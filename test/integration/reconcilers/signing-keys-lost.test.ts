import { generateKeyPairSync } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { bodyOf } from '../../support/api.ts';
import { conditionOf, SigningKeyStage } from './signing-key-stage.ts';

jest.setTimeout(30_000);

let stage: SigningKeyStage;
beforeEach(async () => {
  stage = await SigningKeyStage.open();
});
afterEach(async () => {
  await stage[Symbol.asyncDispose]();
});

const newPem = (): string =>
  generateKeyPairSync('ec', { namedCurve: 'P-256' })
    .privateKey.export({ format: 'pem', type: 'pkcs8' })
    .toString();
describe('what is lost', () => {
  test('the active private half: the standby takes over, and another stands by', async () => {
    await stage.create();
    const first = await stage.settled();
    const secret = (await stage.keys()).find(({ kid }) => kid === first.active)?.secretRef?.name ?? '';
    await stage.api.delete(stage.ref('Secret', secret));
    const second = await stage.settled(1);
    expect(second).toMatchObject({ active: first.standby, retired: [first.active] });
  });

  test('its content: a PEM that somebody put there never signs', async () => {
    await stage.create();
    const first = await stage.settled();
    const secret = (await stage.keys()).find(({ kid }) => kid === first.active)?.secretRef?.name ?? '';
    const data = { 'private.pem': Buffer.from(newPem()).toString('base64') };
    bodyOf(await stage.api.patch(stage.ref('Secret', secret), 'merge', { data }));
    const second = await stage.settled(1);
    expect(second).toMatchObject({ active: first.standby, retired: [first.active] });
    await stage.until(async () =>
      expect((await stage.api.get(stage.ref('Secret', secret))).status).toBe(404),
    );
  });

  test('labels and annotations: put back, and no key is taken for lost', async () => {
    await stage.create();
    const first = await stage.settled();
    for (const { metadata } of await stage.keySecrets()) {
      const patch = { metadata: { labels: null, annotations: null } };
      bodyOf(await stage.api.patch(stage.ref('Secret', metadata.name), 'merge', patch));
    }
    await stage.until(async () => {
      const secrets = await stage.keySecrets();
      const kids = secrets.map(({ metadata }) => metadata.annotations?.['m2moauth.dev/kid']);
      expect(kids.sort()).toEqual([first.active, first.standby].sort());
      for (const { metadata } of secrets) {
        expect(metadata.labels).toEqual({
          'app.kubernetes.io/managed-by': 'm2m-oauth-operator',
          'm2moauth.dev/signing-key': 'default',
        });
      }
    });
    expect(await stage.settled()).toEqual(first);
  });

  test('the status, or the whole SigningKey: it is rebuilt from the Secrets, retired keys too', async () => {
    await stage.create();
    await stage.settled();
    await stage.patch({ metadata: { annotations: { 'm2moauth.dev/rotate': 'one' } } });
    const before = await stage.settled(1);
    await stage.until(async () => {
      const active = (await stage.keySecrets()).find(
        ({ metadata }) => metadata.annotations?.['m2moauth.dev/kid'] === before.active,
      );
      expect(active?.data['retired.json']).toBeDefined();
    });
    await stage.idle();
    const jwks = await stage.jwks();
    const status = { keys: null, lastHandledRotate: null };
    bodyOf(
      await stage.api.patch(
        stage.ref('SigningKey', 'default'),
        'merge',
        { status },
        { subresource: 'status' },
      ),
    );
    await stage.until(async () => expect(await stage.settled(1)).toEqual(before));
    await stage.api.delete(stage.ref('SigningKey', 'default'));
    await stage.until(() => expect(stage.keyring.phase(before.active)).toBeUndefined());
    expect(await stage.keySecrets()).toHaveLength(2);
    await stage.create();
    expect(await stage.settled(1)).toEqual(before);
    await stage.until(async () => expect(await stage.jwks()).toEqual(jwks));
  });

  test('a SigningKey that is made again does not bring a compromised key back', async () => {
    await stage.create();
    const { active: compromised } = await stage.settled();
    await stage.patch({ spec: { compromised: [compromised] } });
    await stage.settled(1);
    await stage.until(async () => {
      const secrets = await stage.keySecrets();
      expect(secrets).toHaveLength(2);
      for (const { data } of secrets) expect(data['compromised.json']).toBeDefined();
    });
    await stage.api.delete(stage.ref('SigningKey', 'default'));
    await stage.until(() => expect(stage.keyring.phase(compromised)).toBeUndefined());
    await stage.create();
    await stage.settled();
    await stage.until(async () => expect((await stage.jwks()).keys).toHaveLength(2));
    expect((await stage.jwks()).keys.map(({ kid }) => kid)).not.toContain(compromised);
    expect(stage.keyring.phase(compromised)).toBeUndefined();
  });

  test('a quota that leaves no room for keys is NoActiveKey, and is got over', async () => {
    const quota = {
      apiVersion: 'v1',
      kind: 'ResourceQuota',
      metadata: { namespace: stage.namespace, name: 'none' },
      spec: { hard: { 'count/secrets': '0' } },
    };
    const path = `/api/v1/namespaces/${stage.namespace}/resourcequotas`;
    bodyOf(await stage.api.request('POST', path, quota));
    await stage.until(async () => {
      const { body } = await stage.api.request('GET', `${path}/none`);
      expect(body.status?.hard).toBeDefined();
    });
    await stage.create();
    const object = await stage.ready('NoActiveKey');
    expect(conditionOf(object).message).toContain('403');
    bodyOf(await stage.api.request('DELETE', `${path}/none`));
    await stage.ready('Active');
    await stage.settled();
  });
});
