import { generateKeyPairSync } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { createLocalJWKSet, type JSONWebKeySet, jwtVerify } from 'jose';
import { bodyOf } from '../../support/api.ts';
import { DAY } from '../../support/durations.ts';
import { acceptedPems, refusedPems } from '../../support/private-pems.ts';
import { conditionOf, ISSUER_URL, SigningKeyStage } from './signing-key-stage.ts';

jest.setTimeout(30_000);

let stage: SigningKeyStage;
beforeEach(async () => {
  stage = await SigningKeyStage.open();
});
afterEach(async () => {
  await stage[Symbol.asyncDispose]();
});

const privateKeyRef = { name: 'brought', key: 'tls.key' };
const newPem = (): string =>
  generateKeyPairSync('ec', { namedCurve: 'P-256' })
    .privateKey.export({ format: 'pem', type: 'pkcs8' })
    .toString();
const activeKid = async (): Promise<string | undefined> =>
  (await stage.keys()).find(({ phase }) => phase === 'Active')?.kid;

describe('a brought key', () => {
  test.each(acceptedPems())('$name signs as $algorithm', async ({ pem, algorithm }) => {
    await stage.bring(pem);
    await stage.create({ algorithm, privateKeyRef });
    await stage.ready('Active');
    expect(await stage.keySecrets()).toEqual([]);
    const signer = await stage.until(() => stage.keyring.active() ?? false);
    if (!signer) throw new Error('no signer');
    const jwt = await signer.sign({ typ: 'JWT', claims: { iss: ISSUER_URL } });
    const keys = createLocalJWKSet((await stage.jwks()) as JSONWebKeySet);
    expect((await jwtVerify(jwt, keys)).protectedHeader.alg).toBe(algorithm);
  });

  test.each(refusedPems().filter(({ pem }) => pem.length < 10_000))(
    '$name is PrivateKeyInvalid, and nothing of it is told',
    async ({ pem, algorithm, reason }) => {
      await stage.bring(pem);
      await stage.create({ algorithm, privateKeyRef });
      const object = await stage.ready('PrivateKeyInvalid');
      expect(conditionOf(object).message).toContain(reason);
      for (const line of pem.split('\n').filter((text) => text.length > 6 && !text.startsWith('-----'))) {
        expect(JSON.stringify([object, stage.events, stage.kube.log.lines])).not.toContain(line);
      }
    },
  );

  test('is waited for: its Secret, its key, and a PEM that fits, each is seen at once', async () => {
    await stage.create({ privateKeyRef });
    expect(conditionOf(await stage.ready('PrivateKeyInvalid')).message).toContain(
      'Secret "brought" is missing',
    );
    bodyOf(await stage.api.create({ ...stage.ref('Secret', 'brought'), data: { other: 'eA==' } }));
    await stage.until(async () => {
      expect(conditionOf(await stage.get()).message).toContain(
        'key "tls.key" of Secret "brought" is missing',
      );
    });
    await stage.bring('no key');
    await stage.until(async () => {
      expect(conditionOf(await stage.get()).message).toContain('no PEM');
    });
    await stage.bring(newPem());
    await stage.ready('Active');
    expect(stage.events.map(({ type, reason }) => `${type} ${reason}`)).toEqual([
      'Warning PrivateKeyInvalid',
      'Normal Active',
    ]);
  });

  test('in another Secret is published first; in the same one it signs at once, since the old one is gone', async () => {
    await stage.bring(newPem());
    await stage.create({ privateKeyRef });
    await stage.ready('Active');
    const first = await activeKid();
    await stage.bring(newPem(), 'second');
    await stage.patch({ spec: { privateKeyRef: { ...privateKeyRef, name: 'second' } } });
    const { standby: second } = await stage.settled();
    expect(await activeKid()).toBe(first);
    await stage.pass(DAY);
    await stage.until(async () => expect(await activeKid()).toBe(second));
    await stage.bring(newPem(), 'second');
    await stage.until(async () => expect([first, second]).not.toContain(await activeKid()));
    expect((await stage.keys()).map(({ phase }) => phase).sort()).toEqual(['Active', 'Retired', 'Retired']);
    const third = await activeKid();
    await stage.until(() => expect(stage.keyring.active()?.kid).toBe(third));
  });

  test('that is compromised is KeyCompromised until another is brought', async () => {
    await stage.bring(newPem());
    await stage.create({ privateKeyRef });
    await stage.ready('Active');
    const kid = await activeKid();
    await stage.patch({ spec: { compromised: [kid] } });
    await stage.ready('KeyCompromised');
    expect(await activeKid()).toBeUndefined();
    expect((await stage.jwks()).keys).toEqual([]);
    expect(stage.keyring.active()).toBeUndefined();
    await stage.bring(newPem());
    await stage.ready('Active');
    expect(await activeKid()).not.toBe(kid);
  });

  test('that lost its Secret stays Active and says so, and goes on when it is back; the Secret is never touched', async () => {
    const pem = newPem();
    await stage.bring(pem);
    await stage.create({ privateKeyRef });
    await stage.ready('Active');
    const kid = await activeKid();
    await stage.api.delete(stage.ref('Secret', 'brought'));
    await stage.ready('PrivateKeyInvalid');
    expect(await activeKid()).toBe(kid);
    await stage.bring(pem);
    await stage.ready('Active');
    expect(await activeKid()).toBe(kid);
    expect(stage.writes.filter((call) => call.includes(' Secret '))).toEqual([]);
  });

  test('takes over from generated keys in time, and they from it', async () => {
    await stage.create();
    const generated = await stage.settled();
    await stage.bring(newPem());
    await stage.patch({ spec: { privateKeyRef } });
    const waiting = await stage.settled(1);
    expect([waiting.active, waiting.retired]).toEqual([generated.active, [generated.standby]]);
    await stage.pass(DAY);
    await stage.until(async () => expect(await activeKid()).toBe(waiting.standby));
    await stage.until(async () => expect(await stage.keySecrets()).toEqual([]));
    await stage.patch({ spec: { privateKeyRef: null } });
    const back = await stage.until(async () => {
      const standby = (await stage.keys()).find(({ phase }) => phase === 'Published');
      expect(standby).toBeDefined();
      return standby;
    });
    expect(await activeKid()).toBe(waiting.standby);
    await stage.pass(DAY);
    await stage.until(async () => expect(await activeKid()).toBe(back?.kid));
    expect((await stage.get('Secret', 'brought')).metadata.name).toBe('brought');
  });
});
