import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { createLocalJWKSet, type JSONWebKeySet, jwtVerify } from 'jose';
import { bodyOf } from '../../support/api.ts';
import { DAY, HOUR, MINUTE, SECOND } from '../../support/durations.ts';
import { conditionOf, ISSUER_URL, SigningKeyEnv } from './signing-key-env.ts';

let env: SigningKeyEnv;
beforeEach(async () => {
  env = await SigningKeyEnv.open();
});
afterEach(async () => {
  await env[Symbol.asyncDispose]();
});

const signWithActive = async (): Promise<string> => {
  const signer = await env.until(() => env.keyring.active() ?? false);
  if (!signer) throw new Error('no signer');
  return signer.sign({ typ: 'JWT', claims: { iss: ISSUER_URL, sub: 'alice' } });
};

/** By the key set in the ConfigMap alone, as a workload does it. */
const verifyOffline = async (jwt: string) =>
  jwtVerify(jwt, createLocalJWKSet((await env.jwks()) as JSONWebKeySet), { issuer: ISSUER_URL });

/** A token that names a kid in its status, as its own reconciler would leave it. */
const tokenOf = async (keyID: string, expiration: number | undefined): Promise<void> => {
  const spec = { clientRef: { name: 'app' } };
  const created = bodyOf(
    await env.api.create({
      ...env.ref('Token', `t-${keyID.slice(0, 5).toLowerCase().replaceAll('_', 'x').replaceAll('-', 'x')}x`),
      spec,
    }),
  );
  const status = { keyID, ...(expiration && { expiration: new Date(expiration).toISOString() }) };
  bodyOf(await env.api.patch(created, 'merge', { status }, { subresource: 'status' }));
};

test('two keys are made: one signs at once, one stands by, and what is signed can be verified by the ConfigMap alone', async () => {
  await env.create();
  const ready = await env.ready('Active');
  const { active, standby } = await env.settled();
  expect(conditionOf(ready)).toMatchObject({ status: 'True' });
  const jwt = await signWithActive();
  const { protectedHeader, payload } = await verifyOffline(jwt);
  expect(protectedHeader).toEqual({ alg: 'ES256', kid: active, typ: 'JWT' });
  expect(payload.sub).toBe('alice');
  expect(await env.keyring.verify(jwt)).toMatchObject({ kid: active, claims: { sub: 'alice' } });
  const { keys } = await env.jwks();
  expect(keys.map(({ kid }) => kid)).toEqual([active, standby].sort());
  for (const key of keys) expect(key).toMatchObject({ kty: 'EC', use: 'sig', alg: 'ES256' });
  expect(Object.keys(keys[0] ?? {}).sort()).toEqual(['alg', 'crv', 'kid', 'kty', 'use', 'x', 'y']);
  for (const secret of await env.keySecrets()) {
    expect(secret.metadata.ownerReferences).toBeUndefined();
    expect(secret.metadata.annotations).toMatchObject({
      'm2moauth.dev/published-at': '2026-01-01T00:00:00Z',
    });
  }
});

test.each(['ES384', 'EdDSA', 'RS256', 'PS256'])('%s keys sign and verify', async (algorithm) => {
  await env.create({ algorithm });
  await env.settled();
  const { protectedHeader } = await verifyOffline(await signWithActive());
  expect(protectedHeader.alg).toBe(algorithm);
});

test('over months the standby takes over at the interval; the old private key is deleted, and the old key once its last token has expired', async () => {
  await env.create();
  const first = await env.settled();
  const old = await signWithActive();
  const expiration = env.clock.now() + 90 * DAY + 3 * HOUR;
  await tokenOf(first.active, expiration);
  await env.pass(90 * DAY - SECOND);
  expect((await env.settled()).active).toBe(first.active);
  await env.pass(SECOND);
  const second = await env.settled(1);
  expect(second).toMatchObject({ active: first.standby, retired: [first.active] });
  expect(
    (await env.keySecrets()).map(({ metadata }) => metadata.annotations?.['m2moauth.dev/kid']).sort(),
  ).toEqual([second.active, second.standby].sort());
  await verifyOffline(old);
  await env.pass(3 * HOUR - SECOND);
  const [retired] = (await env.keys()).filter(({ phase }) => phase === 'Retired');
  expect(retired).toMatchObject({
    kid: first.active,
    lastExpiration: new Date(expiration).toISOString().replace('.000Z', 'Z'),
  });
  expect(retired?.secretRef).toBeUndefined();
  await env.pass(SECOND);
  await env.settled(0);
  await expect(verifyOffline(old)).rejects.toMatchObject({ code: 'ERR_JWKS_NO_MATCHING_KEY' });
  await env.pass(365 * DAY);
  await env.settled();
  expect(env.events.filter(({ reason }) => reason === 'Active').length).toBeGreaterThanOrEqual(5);
});

test('a key without tokens stays ten minutes after it retired, one with a token that never expires until that is gone', async () => {
  await env.create();
  const first = await env.settled();
  await tokenOf(first.active, undefined);
  await env.patch({ metadata: { annotations: { 'm2moauth.dev/rotate': 'one' } } });
  const second = await env.settled(1);
  await env.pass(10 * MINUTE);
  expect((await env.settled(1)).retired).toEqual([first.active]);
  const tokens = bodyOf(await env.api.list(env.ref('Token', '')));
  for (const token of tokens.items) await env.api.delete(token);
  await env.until(async () => expect(bodyOf(await env.api.list(env.ref('Token', ''))).items).toEqual([]));
  await env.pass(10 * MINUTE);
  await env.until(async () => {
    await env.pass(10 * MINUTE);
    expect((await env.keys()).map(({ kid }) => kid).sort()).toEqual([second.active, second.standby].sort());
  });
});

test('the annotation rotates once for each value, and one that was there from the start does not', async () => {
  const { metadata, ...ref } = env.ref('SigningKey', 'default');
  const annotations = { 'm2moauth.dev/rotate': 'zero' };
  bodyOf(
    await env.api.create({ ...ref, metadata: { ...metadata, annotations } as typeof metadata, spec: {} }),
  );
  const first = await env.settled();
  expect((await env.get()).status.lastHandledRotate).toBe('zero');
  await env.patch({ metadata: { annotations: { 'm2moauth.dev/rotate': 'one' } } });
  const second = await env.settled(1);
  expect(second.active).toBe(first.standby);
  expect((await env.get()).status.lastHandledRotate).toBe('one');
  await env.pass(MINUTE);
  expect((await env.settled(1)).active).toBe(second.active);
  await env.until(() => expect(env.keyring.active()?.kid).toBe(second.active));
});

test('another algorithm is published first and signs when everyone had time to know it', async () => {
  await env.create({ rotation: { interval: '2160h', publishBefore: '12h' } });
  const first = await env.settled();
  await env.patch({ spec: { algorithm: 'EdDSA' } });
  const second = await env.settled(1);
  expect(second.active).toBe(first.active);
  expect((await env.keys()).find(({ kid }) => kid === second.standby)?.algorithm).toBe('EdDSA');
  await env.pass(12 * HOUR - SECOND);
  expect((await env.settled()).active).toBe(first.active);
  await env.pass(SECOND);
  const third = await env.settled(1);
  expect(third.active).toBe(second.standby);
  expect((await verifyOffline(await signWithActive())).protectedHeader.alg).toBe('EdDSA');
});

test('a key that another SigningKey calls compromised is given up as well, and what takes its place signs', async () => {
  await env.create();
  const first = await env.settled();
  await env.create({ compromised: [first.active] }, 'other');
  const second = await env.settled(1);
  expect(second.active).toBe(first.standby);
  await env.until(() => expect(env.keyring.active()?.kid).toBe(first.standby));
});

test('a compromised key is out of the key set and signs no more, a compromised standby too; compromised only grows', async () => {
  await env.create();
  const first = await env.settled();
  const jwt = await signWithActive();
  await env.patch({ spec: { compromised: [first.active] } });
  const second = await env.settled(1);
  expect(second.active).toBe(first.standby);
  expect((await env.jwks()).keys.map(({ kid }) => kid)).toEqual([second.active, second.standby].sort());
  await env.until(() => expect(env.keyring.phase(first.active)).toBe('Compromised'));
  expect(await env.keyring.verify(jwt)).toBeUndefined();
  expect(env.keyring.jwks().keys.map(({ kid }) => kid)).not.toContain(first.active);
  await env.until(async () =>
    expect(
      (await env.keySecrets()).map(({ metadata }) => metadata.annotations?.['m2moauth.dev/kid']),
    ).not.toContain(first.active),
  );
  await env.patch({ spec: { compromised: [first.active, second.standby] } });
  const third = await env.settled(2);
  expect(third.active).toBe(second.active);
  expect(
    (await env.api.patch(env.ref('SigningKey', 'default'), 'merge', { spec: { compromised: [] } })).status,
  ).toBe(422);
});
