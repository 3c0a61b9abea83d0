import { generateKeyPairSync } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { SignJWT } from 'jose';
import type { KeyEntry, KeyPhase, SigningKey } from '../../../../operator/api/signing-key.ts';
import { rememberedKeysOf } from '../../../../operator/compose/remembered-keys.ts';
import { joseKeyPairs } from '../../../../operator/crypto/key-pairs.ts';
import { IssuerKeyring, type IssuerKeyringOptions } from '../../../../operator/issuer/keys/keyring.ts';
import type { ConfigMap } from '../../../../operator/ports/config-maps.ts';
import type { KeyPair } from '../../../../operator/ports/keys.ts';
import type { Secret } from '../../../../operator/ports/secrets.ts';
import { ObjectStore } from '../../../../operator/runtime/object-store.ts';
import { eventually } from '../../../support/eventually.ts';
import { FakeClock, settle } from '../../../support/fake-clock.ts';
import { type RecordedLog, recordedLog } from '../../../support/quiet.ts';

const URL = 'https://issuer.example.com/m2m';
const PREVIOUS = 'https://old.example.com';
const keyPairs = joseKeyPairs();
const [a, b, c] = (await Promise.all(
  ['ES256', 'ES256', 'EdDSA'].map((alg) => keyPairs.generate(alg as 'ES256')),
)) as [KeyPair, KeyPair, KeyPair];

const entryOf = (key: KeyPair, phase: KeyPhase, secretRef: object = { name: key.kid }): KeyEntry => ({
  kid: key.kid,
  algorithm: key.algorithm,
  publicJWK: { ...key.publicJWK },
  phase,
  publishedAt: '2026-01-01T00:00:00Z',
  secretRef: secretRef as { name: string },
});

let version = 0;
const signingKey = (
  keys: KeyEntry[],
  { name = 'default', namespace = 'system', compromised = [] as string[] } = {},
): SigningKey => ({
  apiVersion: 'm2moauth.dev/v1alpha1',
  kind: 'SigningKey',
  metadata: {
    name,
    namespace,
    uid: `${namespace}/${name}`,
    resourceVersion: `${++version}`,
    creationTimestamp: '2026-01-01T00:00:00Z',
  },
  spec: { algorithm: 'ES256', compromised },
  status: { keys },
});

const secretOf = (pem: string, dataKey = 'private.pem'): Secret => ({
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: {
    name: 's',
    namespace: 'system',
    uid: 's',
    resourceVersion: '1',
    creationTimestamp: '2026-01-01T00:00:00Z',
  },
  data: { [dataKey]: Buffer.from(pem).toString('base64') },
});

/** How much of the real key work, which runs on other threads, is under way. */
let busy = 0;
const counted =
  <Args extends unknown[], Result>(work: (...args: Args) => Promise<Result>) =>
  async (...args: Args): Promise<Result> => {
    busy++;
    try {
      return await work(...args);
    } finally {
      busy--;
    }
  };

let store: ObjectStore<SigningKey>;
let clock: FakeClock;
let log: RecordedLog;
let secrets: Map<string, Secret | Error>;
let keyring: IssuerKeyring;
let notifications: number;
let options: IssuerKeyringOptions;
/** The ConfigMaps of the operator, one of which remembers compromised keys. */
let configMaps: ObjectStore<ConfigMap>;

beforeEach(() => {
  log = recordedLog();
  store = new ObjectStore<SigningKey>({ log });
  clock = new FakeClock();
  secrets = new Map([a, b, c].map((key) => [key.kid, secretOf(key.privatePem)]));
  notifications = 0;
  configMaps = new ObjectStore<ConfigMap>({ log });
  options = {
    signingKeys: store,
    remembered: rememberedKeysOf(configMaps, 'system'),
    namespace: 'system',
    signingKey: 'default',
    issuerUrl: URL,
    previousURLs: [PREVIOUS],
    keyPairs: { read: counted(keyPairs.read), signer: counted(keyPairs.signer) },
    readSecret: async (name) => {
      const secret = secrets.get(name);
      if (secret instanceof Error) throw secret;
      return secret;
    },
    clock,
    random: () => 0.5,
    log,
  };
  keyring = new IssuerKeyring(options);
  keyring.onChange(() => notifications++);
  keyring.start();
});
afterEach(() => keyring.stop());

/** Until every key that is being read or made ready is done with, however long the machine takes. */
const idle = async (): Promise<void> => {
  await settle();
  await eventually(() => busy === 0, { intervalMs: 1 });
  await settle();
};
const apply = async (object: SigningKey): Promise<void> => {
  store.apply(object);
  await idle();
};
const jwtOf = async (key: KeyPair, claims: Record<string, unknown> = { iss: URL }): Promise<string> =>
  (await keyPairs.signer(key)).sign({ typ: 'JWT', claims });

test('the Active key of the configured SigningKey signs, once its private half is loaded', async () => {
  expect(keyring.loaded).toBe(false);
  store.markSynced();
  expect(keyring.loaded).toBe(true);
  store.apply(signingKey([entryOf(a, 'Active'), entryOf(b, 'Published')]));
  expect([keyring.active(), keyring.loaded, keyring.phase(a.kid)]).toEqual([undefined, false, 'Active']);
  await apply(signingKey([entryOf(a, 'Active'), entryOf(b, 'Published')]));
  expect(keyring.active()?.kid).toBe(a.kid);
  expect(keyring.loaded).toBe(true);
  const jwt = await keyring.active()?.sign({ typ: 'at+jwt', claims: { iss: URL, sub: 'x' } });
  expect(await keyring.verify(jwt ?? '')).toEqual({
    kid: a.kid,
    algorithm: 'ES256',
    claims: { iss: URL, sub: 'x' },
  });
});

test('a rotation is taken over without waiting: the standby is loaded beforehand', async () => {
  await apply(signingKey([entryOf(a, 'Active'), entryOf(b, 'Published')]));
  const before = notifications;
  store.apply(signingKey([entryOf(a, 'Retired'), entryOf(b, 'Active')]));
  expect(keyring.active()?.kid).toBe(b.kid);
  expect(notifications).toBe(before + 1);
  expect(await keyring.verify(await jwtOf(a))).toMatchObject({ kid: a.kid });
});

test('a key that is remembered as compromised is rejected, though a restored status calls it Active', async () => {
  await apply(signingKey([entryOf(a, 'Active'), entryOf(b, 'Published')]));
  const jwt = await jwtOf(a);
  expect(await keyring.verify(jwt)).toBeDefined();
  const remember = (name: string) =>
    configMaps.apply({
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { ...signingKey([]).metadata, name },
      data: { 'kids.json': JSON.stringify([a.kid]) },
    });
  remember('another');
  expect(keyring.phase(a.kid)).toBe('Active');
  remember('m2m-oauth-compromised-keys');
  expect(keyring.phase(a.kid)).toBe('Compromised');
  expect(keyring.active()).toBeUndefined();
  expect(await keyring.verify(jwt)).toBeUndefined();
  expect(keyring.jwks().keys.map(({ kid }) => kid)).toEqual([b.kid]);
});

test('keys of another SigningKey, or another namespace, do not sign; those of another namespace do not verify either', async () => {
  await apply(signingKey([entryOf(a, 'Active')], { name: 'other' }));
  await apply(signingKey([entryOf(b, 'Active')], { namespace: 'tenant' }));
  expect(keyring.active()).toBeUndefined();
  expect(await keyring.verify(await jwtOf(a))).toMatchObject({ kid: a.kid });
  expect(await keyring.verify(await jwtOf(b))).toBeUndefined();
  expect(keyring.jwks().keys.map(({ kid }) => kid)).toEqual([a.kid]);
  expect(keyring.phase(b.kid)).toBeUndefined();
});

describe('a provided key that another replaced in its Secret', () => {
  const place = { name: 'provided', key: 'tls.key' };
  const replaced = (publishedAt = '2026-01-01T00:00:00Z') =>
    signingKey([entryOf(a, 'Active', place), { ...entryOf(b, 'Published', place), publishedAt }]);

  test('signs from memory where this replica has read it before', async () => {
    secrets.set('provided', secretOf(a.privatePem, 'tls.key'));
    await apply(signingKey([entryOf(a, 'Active', place)]));
    secrets.set('provided', secretOf(b.privatePem, 'tls.key'));
    await apply(replaced());
    await clock.advance(86_400_000);
    expect(keyring.active()?.kid).toBe(a.kid);
    expect([a, b, c].map(({ kid }) => keyring.holds(kid))).toEqual([true, true, false]);
    await apply(signingKey([entryOf(a, 'Retired'), entryOf(b, 'Active', place)]));
    expect(keyring.active()?.kid).toBe(b.kid);
    expect(keyring.holds(a.kid)).toBe(false);
  });

  test('leaves the one that is published to sign 300 s after that, where this replica has never read it', async () => {
    secrets.set('provided', secretOf(b.privatePem, 'tls.key'));
    await apply(replaced());
    expect([keyring.active(), keyring.holds(a.kid), keyring.holds(b.kid)]).toEqual([undefined, false, true]);
    await clock.advance(299_999);
    await idle();
    expect(keyring.active()).toBeUndefined();
    const before = notifications;
    await clock.advance(1);
    await idle();
    expect(keyring.active()?.kid).toBe(b.kid);
    expect(notifications).toBe(before + 1);
    expect(await keyring.verify(await jwtOf(b))).toMatchObject({ kid: b.kid });
  });

  test('signs again if it is put back', async () => {
    secrets.set('provided', secretOf(b.privatePem, 'tls.key'));
    await apply(replaced('2025-12-31T00:00:00Z'));
    expect(keyring.active()?.kid).toBe(b.kid);
    secrets.set('provided', secretOf(a.privatePem, 'tls.key'));
    await clock.advance(30_000);
    await idle();
    expect(keyring.active()?.kid).toBe(a.kid);
  });

  test('is not succeeded by a key in another place, nor by one that was generated', async () => {
    secrets.set('provided', secretOf(c.privatePem, 'tls.key'));
    const elsewhere = { name: b.kid, key: 'private.pem' };
    await apply(signingKey([entryOf(a, 'Active', place), entryOf(b, 'Published', elsewhere)]));
    await clock.advance(86_400_000);
    await idle();
    expect(keyring.active()).toBeUndefined();
    secrets.delete(a.kid);
    await apply(signingKey([entryOf(a, 'Active'), entryOf(b, 'Published')]));
    await clock.advance(86_400_000);
    await idle();
    expect(keyring.active()).toBeUndefined();
  });

  test('leaves no timer behind', async () => {
    secrets.set('provided', secretOf(b.privatePem, 'tls.key'));
    await apply(replaced());
    keyring.stop();
    expect(clock.pending).toBe(0);
  });
});

test('a Secret that is missing, unreadable or another key is tried again, with a growing wait', async () => {
  secrets.delete(a.kid);
  await apply(signingKey([entryOf(a, 'Active')]));
  expect([keyring.active(), clock.untilNext]).toEqual([undefined, 750]);
  secrets.set(a.kid, new Error('the API server is away'));
  await clock.advance(750);
  await idle();
  expect([keyring.active(), clock.untilNext]).toEqual([undefined, 1500]);
  secrets.set(a.kid, secretOf(b.privatePem));
  await clock.advance(1500);
  await idle();
  expect([keyring.active(), clock.untilNext]).toEqual([undefined, 3000]);
  secrets.set(a.kid, secretOf(a.privatePem));
  const before = notifications;
  await clock.advance(3000);
  await idle();
  expect(keyring.active()?.kid).toBe(a.kid);
  expect(notifications).toBe(before + 1);
  expect(clock.pending).toBe(0);
  expect(JSON.stringify(log.lines)).not.toContain('PRIVATE KEY');
});

test('a provided key is read where the status says', async () => {
  secrets.set('mine', secretOf(a.privatePem, 'tls.key'));
  await apply(signingKey([entryOf(a, 'Active', { name: 'mine', key: 'tls.key' })]));
  expect(keyring.active()?.kid).toBe(a.kid);
});

describe('a compromised key', () => {
  test('neither signs nor verifies, whichever SigningKey lists it, and is not in the key set', async () => {
    await apply(signingKey([entryOf(a, 'Active'), entryOf(b, 'Published')]));
    const jwt = await jwtOf(a);
    store.apply(signingKey([], { name: 'other', compromised: [a.kid] }));
    expect(keyring.active()).toBeUndefined();
    expect(keyring.phase(a.kid)).toBe('Compromised');
    expect(await keyring.verify(jwt)).toBeUndefined();
    expect(keyring.jwks().keys.map(({ kid }) => kid)).toEqual([b.kid]);
  });

  test('is rejected even where the signature was being checked already', async () => {
    await apply(signingKey([entryOf(a, 'Active')]));
    const verifying = keyring.verify(await jwtOf(a));
    store.apply(signingKey([entryOf(a, 'Active')], { compromised: [a.kid] }));
    expect(await verifying).toBeUndefined();
  });
});

describe('a JWT', () => {
  beforeEach(() => apply(signingKey([entryOf(a, 'Active'), entryOf(c, 'Retired')])));
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey;
  const header = { alg: 'ES256', kid: a.kid };

  test('with a URL that this issuer had before is verified', async () => {
    expect(await keyring.verify(await jwtOf(a, { iss: PREVIOUS }))).toMatchObject({ kid: a.kid });
  });

  test.each([
    ['of a URL like one before', () => jwtOf(a, { iss: `${PREVIOUS}/` })],
    ['of another issuer', () => jwtOf(a, { iss: `${URL}/` })],
    ['without an issuer', () => jwtOf(a, {})],
    ['of an unknown key', () => jwtOf(b)],
    [
      'without a kid',
      async () => (await jwtOf(a)).replace(/^[^.]+/u, Buffer.from('{"alg":"ES256"}').toString('base64url')),
    ],
    [
      'with another alg in its header',
      async () =>
        (await jwtOf(a)).replace(
          /^[^.]+/u,
          Buffer.from(JSON.stringify({ ...header, alg: 'ES384' })).toString('base64url'),
        ),
    ],
    [
      'that says alg none',
      async () => `${Buffer.from(JSON.stringify({ ...header, alg: 'none' })).toString('base64url')}.e30.`,
    ],
    [
      'signed with the public half as a secret',
      () =>
        new SignJWT({ iss: URL })
          .setProtectedHeader({ ...header, alg: 'HS256' })
          .sign(Buffer.from(JSON.stringify(a.publicJWK))),
    ],
    [
      'signed by another key under our kid',
      () => new SignJWT({ iss: URL }).setProtectedHeader({ ...header, alg: 'RS256' }).sign(rsa),
    ],
    [
      'with an unknown critical extension',
      async () => {
        const parts = (await jwtOf(a)).split('.');
        return [
          Buffer.from(JSON.stringify({ ...header, crit: ['x'], x: 1 })).toString('base64url'),
          ...parts.slice(1),
        ].join('.');
      },
    ],
    [
      'that was changed',
      async () =>
        (await jwtOf(a)).replace(
          /\.[^.]+\./u,
          `.${Buffer.from(JSON.stringify({ iss: URL, sub: 'root' })).toString('base64url')}.`,
        ),
    ],
    ['that is none', async () => 'secret'],
    ['that is empty', async () => ''],
    ['that is far too long', async () => `${await jwtOf(a)}${'a'.repeat(300_000)}`],
  ])('%s is not ours', async (_, make) => {
    expect(await keyring.verify(await make())).toBeUndefined();
  });

  test('of a retired key is ours, expired or not', async () => {
    expect(await keyring.verify(await jwtOf(c, { iss: URL, exp: 1 }))).toMatchObject({
      algorithm: 'EdDSA',
      claims: { exp: 1 },
    });
  });
});

test('the set is known once there are keys, and still where all of them are compromised', async () => {
  expect(keyring.known).toBe(false);
  store.markSynced();
  await apply(signingKey([]));
  expect(keyring.known).toBe(false);
  await apply(signingKey([entryOf(a, 'Active')], { compromised: [a.kid] }));
  expect([keyring.known, keyring.jwks().keys]).toEqual([true, []]);
});

describe('where only the keys of the SigningKey that signs are published', () => {
  const kids = () => keyring.jwks().keys.map(({ kid }) => kid);
  beforeEach(() => {
    keyring.stop();
    keyring = new IssuerKeyring({ ...options, jwks: 'SigningKey' });
    keyring.start();
    store.markSynced();
  });

  test('its published, active and retired keys are, and no other; all of them verify', async () => {
    await apply(signingKey([entryOf(c, 'Active')], { name: 'other' }));
    await apply(signingKey([entryOf(a, 'Active'), entryOf(b, 'Retired')]));
    expect(kids()).toEqual([a.kid, b.kid].sort());
    expect(await keyring.verify(await jwtOf(c))).toMatchObject({ kid: c.kid });
  });

  test('the set is not known while it has none, whatever others have', async () => {
    await apply(signingKey([entryOf(c, 'Active')], { name: 'other' }));
    expect(keyring.known).toBe(false);
    await apply(signingKey([]));
    expect(keyring.known).toBe(false);
    await apply(signingKey([entryOf(a, 'Active')]));
    expect([keyring.known, kids()]).toEqual([true, [a.kid]]);
  });

  test('a key that another SigningKey calls compromised is not', async () => {
    await apply(signingKey([entryOf(a, 'Active'), entryOf(b, 'Published')]));
    await apply(signingKey([], { name: 'other', compromised: [a.kid] }));
    expect([keyring.known, kids()]).toEqual([true, [b.kid]]);
    await apply(signingKey([entryOf(a, 'Active')], { compromised: [a.kid] }));
    expect([keyring.known, kids()]).toEqual([true, []]);
  });
});

describe('a JWT that was verified before', () => {
  test('is not checked again, and one that differs from it by a letter is', async () => {
    await apply(signingKey([entryOf(a, 'Active')]));
    const jwt = await jwtOf(a);
    const verified = await keyring.verify(jwt);
    expect(await keyring.verify(jwt)).toBe(verified);
    const [header, payload, signature = ''] = jwt.split('.');
    const other = signature.startsWith('A') ? `B${signature.slice(1)}` : `A${signature.slice(1)}`;
    expect(await keyring.verify(`${header}.${payload}.${other}`)).toBeUndefined();
  });

  test.each([
    ['is gone', () => apply(signingKey([entryOf(b, 'Active')]))],
    ['is compromised', () => apply(signingKey([entryOf(a, 'Active')], { compromised: [a.kid] }))],
  ])('is rejected once its key %s', async (_name, change) => {
    await apply(signingKey([entryOf(a, 'Active')]));
    const jwt = await jwtOf(a);
    expect(await keyring.verify(jwt)).toBeDefined();
    await change();
    expect(await keyring.verify(jwt)).toBeUndefined();
  });

  test('is ours while other keys come', async () => {
    await apply(signingKey([entryOf(a, 'Active')]));
    const jwt = await jwtOf(a);
    const verified = await keyring.verify(jwt);
    await apply(signingKey([entryOf(a, 'Active'), entryOf(b, 'Published')]));
    expect(await keyring.verify(jwt)).toBe(verified);
  });
});

test('after stop no private key is held and no handler is notified', async () => {
  await apply(signingKey([entryOf(a, 'Active')]));
  keyring.stop();
  const before = notifications;
  expect(keyring.active()).toBeUndefined();
  await apply(signingKey([entryOf(b, 'Active')]));
  expect([keyring.active(), notifications]).toEqual([undefined, before]);
});
