import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { bodyOf } from '../../support/api.ts';
import { MINUTE } from '../../support/durations.ts';
import { SigningKeyEnv } from './signing-key-env.ts';

let env: SigningKeyEnv;
beforeEach(async () => {
  env = await SigningKeyEnv.open();
});
afterEach(async () => {
  await env[Symbol.asyncDispose]();
});

describe('the ConfigMap', () => {
  const name = 'default-jwks';
  beforeEach(async () => {
    await env.create();
    await env.settled();
    await env.idle();
  });

  test.each([
    ['another key set', { data: { 'jwks.json': '{"keys":[]}' } }],
    ['no data', { data: null }],
    ['no labels', { metadata: { labels: null } }],
    ['no owner', { metadata: { ownerReferences: null } }],
    [
      'no owner and other data',
      { metadata: { ownerReferences: null }, data: { 'jwks.json': '{"keys":[]}' } },
    ],
    ['other data, and never to change again', { data: { 'jwks.json': 'x' }, immutable: true }],
  ])('is restored where a user gave it %s', async (_, patch) => {
    const before = await env.jwks();
    bodyOf(await env.api.patch(env.ref('ConfigMap', name), 'merge', patch));
    await env.until(async () => {
      const found = await env.get('ConfigMap', name);
      expect(JSON.parse(found.data['jwks.json'])).toEqual(before);
      expect(found.metadata.ownerReferences).toMatchObject([{ kind: 'SigningKey', controller: true }]);
      expect(found.metadata.labels).toEqual({
        'app.kubernetes.io/managed-by': 'm2m-oauth-operator',
        'm2moauth.dev/own-name': name,
      });
      expect(found.metadata.annotations).toEqual({
        'm2moauth.dev/made-as': `${name} of SigningKey default`,
      });
    });
  });

  test('is restored where a user deleted it, and keeps what others add', async () => {
    const before = await env.jwks();
    await env.api.delete(env.ref('ConfigMap', name));
    await env.until(async () => expect(await env.jwks()).toEqual(before));
    bodyOf(
      await env.api.patch(env.ref('ConfigMap', name), 'merge', {
        data: { mine: 'yes', 'jwks.json': 'no' },
      }),
    );
    await env.until(async () => expect(await env.jwks()).toEqual(before));
    expect((await env.get('ConfigMap', name)).data.mine).toBe('yes');
  });

  test('is left alone where it is unmanaged', async () => {
    bodyOf(await env.api.create({ ...env.ref('ConfigMap', 'other-jwks'), data: { 'jwks.json': 'mine' } }));
    await env.create({}, 'other');
    await env.ready('Active', 'other');
    expect((await env.get('ConfigMap', 'other-jwks')).data).toEqual({ 'jwks.json': 'mine' });
    await env.api.delete(env.ref('ConfigMap', 'other-jwks'));
    await env.pass(5 * MINUTE);
    await env.until(async () => expect((await env.jwks('other')).keys).toHaveLength(4));
  });

  test.each<[string, (metadata: object) => object]>([
    [
      'has the label of the operator',
      () => ({ labels: { 'app.kubernetes.io/managed-by': 'm2m-oauth-operator' } }),
    ],
    ['is a copy of another', (metadata) => ({ ...metadata, ownerReferences: [] })],
  ])('of that name that %s is left alone', async (_, metadataOf) => {
    const { labels, annotations } = (await env.get('ConfigMap', name)).metadata;
    const metadata = {
      ...env.ref('ConfigMap', 'other-jwks').metadata,
      ...metadataOf({ labels, annotations }),
    };
    const data = { 'jwks.json': 'mine' };
    const made = bodyOf(await env.api.create({ ...env.ref('ConfigMap', 'other-jwks'), metadata, data }));
    await env.create({}, 'other');
    await env.ready('Active', 'other');
    const found = await env.get('ConfigMap', 'other-jwks');
    expect(found.metadata.resourceVersion).toBe(made.metadata.resourceVersion);
  });

  test('of an earlier version is taken over without its owner, and not rewritten for its marks', async () => {
    await env.stop();
    const metadata = {
      labels: { 'm2moauth.dev/own-name': null },
      annotations: { 'm2moauth.dev/made-as': null },
    };
    const patch = (body: object) => env.api.patch(env.ref('ConfigMap', name), 'merge', body);
    const before = bodyOf(await patch({ metadata }));
    await env.start();
    await env.idle();
    expect((await env.get('ConfigMap', name)).metadata.resourceVersion).toBe(before.metadata.resourceVersion);
    bodyOf(await patch({ metadata: { ownerReferences: null } }));
    await env.until(async () => {
      const found = await env.get('ConfigMap', name);
      expect(found.metadata.ownerReferences).toMatchObject([{ kind: 'SigningKey', name: 'default' }]);
      expect(found.metadata.labels).toHaveProperty(['m2moauth.dev/own-name'], name);
    });
  });

  test('holds the keys of every SigningKey, and changes with any of them', async () => {
    await env.create({ algorithm: 'EdDSA' }, 'other');
    await env.ready('Active', 'other');
    await env.until(async () => {
      expect((await env.jwks()).keys).toHaveLength(4);
      expect(await env.jwks('other')).toEqual(await env.jwks());
    });
    const [kid] = (await env.keys('other')).map((key) => key.kid);
    await env.patch({ spec: { compromised: [kid] } }, 'other');
    await env.until(async () => {
      expect((await env.jwks()).keys.map((key) => key.kid)).not.toContain(kid);
      expect((await env.jwks()).keys).toHaveLength(4);
    });
  });
});

test('of each SigningKey holds the keys of the one that signs alone, where the configuration says so', async () => {
  await using limited = await SigningKeyEnv.open('SigningKey');
  await limited.create();
  await limited.settled();
  await limited.create({ algorithm: 'EdDSA' }, 'other');
  await limited.ready('Active', 'other');
  const kids = (await limited.keys()).map((key) => key.kid).sort();
  await limited.until(async () => {
    expect((await limited.jwks()).keys.map((key) => key.kid)).toEqual(kids);
    expect(await limited.jwks('other')).toEqual(await limited.jwks());
    expect(limited.keyring.jwks()).toEqual(await limited.jwks());
  });
  await limited.patch({ spec: { compromised: [kids[0]] } }, 'other');
  await limited.until(async () => {
    expect((await limited.jwks()).keys.map((key) => key.kid)).not.toContain(kids[0]);
    expect(await limited.jwks('other')).toEqual(await limited.jwks());
  });
});
