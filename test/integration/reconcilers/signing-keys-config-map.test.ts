import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { bodyOf } from '../../support/api.ts';
import { MINUTE } from '../../support/durations.ts';
import { SigningKeyStage } from './signing-key-stage.ts';

jest.setTimeout(30_000);

let stage: SigningKeyStage;
beforeEach(async () => {
  stage = await SigningKeyStage.open();
});
afterEach(async () => {
  await stage[Symbol.asyncDispose]();
});

describe('the ConfigMap', () => {
  const name = 'default-jwks';
  beforeEach(async () => {
    await stage.create();
    await stage.settled();
    await stage.idle();
  });

  test.each([
    ['another key set', { data: { 'jwks.json': '{"keys":[]}' } }],
    ['no data', { data: null }],
    ['no labels', { metadata: { labels: null } }],
    ['other data, and never to change again', { data: { 'jwks.json': 'x' }, immutable: true }],
  ])('is put back where somebody gave it %s', async (_, patch) => {
    const before = await stage.jwks();
    bodyOf(await stage.api.patch(stage.ref('ConfigMap', name), 'merge', patch));
    await stage.until(async () => {
      const found = await stage.get('ConfigMap', name);
      expect(JSON.parse(found.data['jwks.json'])).toEqual(before);
      expect(found.metadata.labels).toEqual({ 'app.kubernetes.io/managed-by': 'm2m-oauth-operator' });
    });
  });

  test('is put back where somebody deleted it, and keeps what others add', async () => {
    const before = await stage.jwks();
    await stage.api.delete(stage.ref('ConfigMap', name));
    await stage.until(async () => expect(await stage.jwks()).toEqual(before));
    bodyOf(
      await stage.api.patch(stage.ref('ConfigMap', name), 'merge', {
        data: { mine: 'yes', 'jwks.json': 'no' },
      }),
    );
    await stage.until(async () => expect(await stage.jwks()).toEqual(before));
    expect((await stage.get('ConfigMap', name)).data.mine).toBe('yes');
  });

  test("is left alone where it is somebody else's", async () => {
    bodyOf(
      await stage.api.create({ ...stage.ref('ConfigMap', 'other-jwks'), data: { 'jwks.json': 'mine' } }),
    );
    await stage.create({}, 'other');
    await stage.ready('Active', 'other');
    expect((await stage.get('ConfigMap', 'other-jwks')).data).toEqual({ 'jwks.json': 'mine' });
    await stage.api.delete(stage.ref('ConfigMap', 'other-jwks'));
    await stage.pass(5 * MINUTE);
    await stage.until(async () => expect((await stage.jwks('other')).keys).toHaveLength(4));
  });

  test('holds the keys of every SigningKey, and changes with any of them', async () => {
    await stage.create({ algorithm: 'EdDSA' }, 'other');
    await stage.ready('Active', 'other');
    await stage.until(async () => {
      expect((await stage.jwks()).keys).toHaveLength(4);
      expect(await stage.jwks('other')).toEqual(await stage.jwks());
    });
    const [kid] = (await stage.keys('other')).map((key) => key.kid);
    await stage.patch({ spec: { compromised: [kid] } }, 'other');
    await stage.until(async () => {
      expect((await stage.jwks()).keys.map((key) => key.kid)).not.toContain(kid);
      expect((await stage.jwks()).keys).toHaveLength(4);
    });
  });
});
