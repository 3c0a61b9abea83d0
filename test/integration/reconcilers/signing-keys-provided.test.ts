import { generateKeyPairSync } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { createLocalJWKSet, type JSONWebKeySet, jwtVerify } from 'jose';
import { bodyOf } from '../../support/api.ts';
import { DAY } from '../../support/durations.ts';
import { acceptedPems, rejectedPems } from '../../support/private-pems.ts';
import { conditionOf, ISSUER_URL, SigningKeyEnv } from './signing-key-env.ts';

let env: SigningKeyEnv;
beforeEach(async () => {
  env = await SigningKeyEnv.open();
});
afterEach(async () => {
  await env[Symbol.asyncDispose]();
});

const privateKeyRef = { name: 'provided', key: 'tls.key' };
const newPem = (): string =>
  generateKeyPairSync('ec', { namedCurve: 'P-256' })
    .privateKey.export({ format: 'pem', type: 'pkcs8' })
    .toString();
const activeKid = async (): Promise<string | undefined> =>
  (await env.keys()).find(({ phase }) => phase === 'Active')?.kid;

describe('a provided key', () => {
  test.each(acceptedPems())('$name signs as $algorithm', async ({ pem, algorithm }) => {
    await env.provide(pem);
    await env.create({ algorithm, privateKeyRef });
    await env.ready('Active');
    expect(await env.keySecrets()).toEqual([]);
    const signer = await env.until(() => env.keyring.active() ?? false);
    if (!signer) throw new Error('no signer');
    const jwt = await signer.sign({ typ: 'JWT', claims: { iss: ISSUER_URL } });
    const keys = createLocalJWKSet((await env.jwks()) as JSONWebKeySet);
    expect((await jwtVerify(jwt, keys)).protectedHeader.alg).toBe(algorithm);
  });

  test.each(rejectedPems().filter(({ pem }) => pem.length < 10_000))(
    '$name is PrivateKeyInvalid, and the message contains none of it',
    async ({ pem, algorithm, reason }) => {
      await env.provide(pem);
      await env.create({ algorithm, privateKeyRef });
      const object = await env.ready('PrivateKeyInvalid');
      expect(conditionOf(object).message).toContain(reason);
      for (const line of pem.split('\n').filter((text) => text.length > 6 && !text.startsWith('-----'))) {
        expect(JSON.stringify([object, env.events, env.kube.log.lines])).not.toContain(line);
      }
    },
  );

  test('is waited for: its Secret, its key, and a PEM that fits, each is seen at once', async () => {
    await env.create({ privateKeyRef });
    expect(conditionOf(await env.ready('PrivateKeyInvalid')).message).toContain(
      'Secret "provided" is missing',
    );
    bodyOf(await env.api.create({ ...env.ref('Secret', 'provided'), data: { other: 'eA==' } }));
    await env.until(async () => {
      expect(conditionOf(await env.get()).message).toContain('key "tls.key" of Secret "provided" is missing');
    });
    await env.provide('no key');
    await env.until(async () => {
      expect(conditionOf(await env.get()).message).toContain('no PEM');
    });
    await env.provide(newPem());
    await env.ready('Active');
    expect(env.events.map(({ type, reason }) => `${type} ${reason}`)).toEqual([
      'Warning PrivateKeyInvalid',
      'Normal Active',
    ]);
  });

  test('is published before it signs, in another Secret and in the same one, while a replica has the old one', async () => {
    await env.provide(newPem());
    await env.create({ privateKeyRef });
    await env.ready('Active');
    const first = await activeKid();
    await env.provide(newPem(), 'second');
    await env.patch({ spec: { privateKeyRef: { ...privateKeyRef, name: 'second' } } });
    const { standby: second } = await env.settled();
    expect(await activeKid()).toBe(first);
    await env.pass(DAY);
    await env.until(async () => expect(await activeKid()).toBe(second));
    await env.until(() => expect(env.keyring.active()?.kid).toBe(second));
    // As cert-manager renews it: the private key that signs is nowhere any more but in memory.
    await env.provide(newPem(), 'second');
    const { standby: third } = await env.settled(1);
    expect(await activeKid()).toBe(second);
    expect((await env.jwks()).keys.map(({ kid }) => kid)).toContain(third);
    expect(conditionOf(await env.get()).message).toContain(`key ${second} (ES256) signs from the memory`);
    const signer = env.keyring.active();
    expect(signer?.kid).toBe(second);
    const jwt = await signer?.sign({ typ: 'JWT', claims: { iss: ISSUER_URL } });
    const keys = createLocalJWKSet((await env.jwks()) as JSONWebKeySet);
    expect((await jwtVerify(jwt ?? '', keys)).protectedHeader.kid).toBe(second);
    await env.pass(DAY);
    await env.until(async () => expect(await activeKid()).toBe(third));
    await env.until(() => expect(env.keyring.active()?.kid).toBe(third));
  });

  test('that replaced another in its Secret signs at once after a restart, since that one is gone, and the condition says so', async () => {
    await env.provide(newPem());
    await env.create({ privateKeyRef });
    await env.ready('Active');
    const first = await activeKid();
    await env.until(() => expect(env.keyring.active()?.kid).toBe(first));
    await env.stop();
    await env.provide(newPem());
    await env.start();
    const second = await env.until(async () => {
      const kid = await activeKid();
      expect([undefined, first]).not.toContain(kid);
      return kid;
    });
    await env.until(() => expect(env.keyring.active()?.kid).toBe(second));
    expect((await env.keys()).map(({ phase }) => phase).sort()).toEqual(['Active', 'Retired']);
    expect(conditionOf(await env.get()).message).toContain(
      'verifiers that cached the JWKS may reject its tokens until',
    );
    await env.pass(300_000);
    await env.until(async () =>
      expect(conditionOf(await env.get()).message).toBe(`key ${second} (ES256) signs`),
    );
  });

  test('that is compromised is KeyCompromised until another is provided', async () => {
    await env.provide(newPem());
    await env.create({ privateKeyRef });
    await env.ready('Active');
    const kid = await activeKid();
    await env.patch({ spec: { compromised: [kid] } });
    await env.ready('KeyCompromised');
    expect(await activeKid()).toBeUndefined();
    expect((await env.jwks()).keys).toEqual([]);
    expect(env.keyring.active()).toBeUndefined();
    await env.provide(newPem());
    await env.ready('Active');
    expect(await activeKid()).not.toBe(kid);
  });

  test('that is compromised stays so when its SigningKey is deleted and created again, across a restart', async () => {
    await env.provide(newPem());
    await env.create({ privateKeyRef });
    await env.ready('Active');
    const kid = await activeKid();
    await env.patch({ spec: { compromised: [kid] } });
    await env.ready('KeyCompromised');
    const remembered = env.ref('ConfigMap', 'm2m-oauth-compromised-keys');
    const stored = async (): Promise<unknown> =>
      JSON.parse(bodyOf(await env.api.get(remembered)).data['kids.json']);
    expect(await stored()).toEqual([kid]);
    // A running leader restores it.
    bodyOf(await env.api.patch(remembered, 'merge', { data: { 'kids.json': '[]' } }));
    await env.until(async () => expect(await stored()).toEqual([kid]));
    bodyOf(await env.api.delete(remembered));
    await env.until(async () => expect(await stored()).toEqual([kid]));
    await env.api.delete(env.ref('SigningKey', 'default'));
    await env.restart();
    await env.create({ privateKeyRef });
    await env.ready('KeyCompromised');
    expect(await env.keys()).toEqual([]);
    expect(env.keyring.active()).toBeUndefined();
    await env.provide(newPem());
    await env.ready('Active');
  });

  test('that lost its Secret stays Active and reports it, and signs again when it is back; the Secret is never written', async () => {
    const pem = newPem();
    await env.provide(pem);
    await env.create({ privateKeyRef });
    await env.ready('Active');
    const kid = await activeKid();
    await env.api.delete(env.ref('Secret', 'provided'));
    await env.ready('PrivateKeyInvalid');
    expect(await activeKid()).toBe(kid);
    await env.provide(pem);
    await env.ready('Active');
    expect(await activeKid()).toBe(kid);
    expect(env.writes.filter((call) => call.includes(' Secret '))).toEqual([]);
  });

  test('takes over from generated keys in time, and they from it', async () => {
    await env.create();
    const generated = await env.settled();
    await env.provide(newPem());
    await env.patch({ spec: { privateKeyRef } });
    const waiting = await env.settled(1);
    expect([waiting.active, waiting.retired]).toEqual([generated.active, [generated.standby]]);
    await env.pass(DAY);
    await env.until(async () => expect(await activeKid()).toBe(waiting.standby));
    await env.until(async () => expect(await env.keySecrets()).toEqual([]));
    await env.patch({ spec: { privateKeyRef: null } });
    const back = await env.until(async () => {
      const standby = (await env.keys()).find(({ phase }) => phase === 'Published');
      expect(standby).toBeDefined();
      return standby;
    });
    expect(await activeKid()).toBe(waiting.standby);
    await env.pass(DAY);
    await env.until(async () => expect(await activeKid()).toBe(back?.kid));
    expect((await env.get('Secret', 'provided')).metadata.name).toBe('provided');
  });
});
