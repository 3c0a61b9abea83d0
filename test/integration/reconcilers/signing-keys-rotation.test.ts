import { afterEach, beforeEach, expect, jest, test } from '@jest/globals';
import { createLocalJWKSet, type JSONWebKeySet, jwtVerify } from 'jose';
import { bodyOf } from '../../support/api.ts';
import { DAY, HOUR, MINUTE, SECOND } from '../../support/durations.ts';
import { conditionOf, ISSUER_URL, SigningKeyStage } from './signing-key-stage.ts';

jest.setTimeout(30_000);

let stage: SigningKeyStage;
beforeEach(async () => {
  stage = await SigningKeyStage.open();
});
afterEach(async () => {
  await stage[Symbol.asyncDispose]();
});

const signWithActive = async (): Promise<string> => {
  const signer = await stage.until(() => stage.keyring.active() ?? false);
  if (!signer) throw new Error('no signer');
  return signer.sign({ typ: 'JWT', claims: { iss: ISSUER_URL, sub: 'alice' } });
};

/** By the key set in the ConfigMap alone, as a workload does it. */
const verifyOffline = async (jwt: string) =>
  jwtVerify(jwt, createLocalJWKSet((await stage.jwks()) as JSONWebKeySet), { issuer: ISSUER_URL });

/** A token that names a kid in its status, as its own reconciler would leave it. */
const tokenOf = async (keyID: string, expiration: number | undefined): Promise<void> => {
  const spec = { clientRef: { name: 'app' } };
  const created = bodyOf(
    await stage.api.create({
      ...stage.ref(
        'Token',
        `t-${keyID.slice(0, 5).toLowerCase().replaceAll('_', 'x').replaceAll('-', 'x')}x`,
      ),
      spec,
    }),
  );
  const status = { keyID, ...(expiration && { expiration: new Date(expiration).toISOString() }) };
  bodyOf(await stage.api.patch(created, 'merge', { status }, { subresource: 'status' }));
};

test('two keys are made: one signs at once, one stands by, and what is signed can be verified by the ConfigMap alone', async () => {
  await stage.create();
  const ready = await stage.ready('Active');
  const { active, standby } = await stage.settled();
  expect(conditionOf(ready)).toMatchObject({ status: 'True' });
  const jwt = await signWithActive();
  const { protectedHeader, payload } = await verifyOffline(jwt);
  expect(protectedHeader).toEqual({ alg: 'ES256', kid: active, typ: 'JWT' });
  expect(payload.sub).toBe('alice');
  expect(await stage.keyring.verify(jwt)).toMatchObject({ kid: active, claims: { sub: 'alice' } });
  const { keys } = await stage.jwks();
  expect(keys.map(({ kid }) => kid)).toEqual([active, standby].sort());
  for (const key of keys) expect(key).toMatchObject({ kty: 'EC', use: 'sig', alg: 'ES256' });
  expect(Object.keys(keys[0] ?? {}).sort()).toEqual(['alg', 'crv', 'kid', 'kty', 'use', 'x', 'y']);
  for (const secret of await stage.keySecrets()) {
    expect(secret.metadata.ownerReferences).toBeUndefined();
    expect(secret.metadata.annotations).toMatchObject({
      'm2moauth.dev/published-at': '2026-01-01T00:00:00Z',
    });
  }
});

test.each(['ES384', 'EdDSA', 'RS256', 'PS256'])('%s keys sign and verify', async (algorithm) => {
  await stage.create({ algorithm });
  await stage.settled();
  const { protectedHeader } = await verifyOffline(await signWithActive());
  expect(protectedHeader.alg).toBe(algorithm);
});

test('months pass: the standby takes over at the interval, the old private half goes, the old key once its last token has expired', async () => {
  await stage.create();
  const first = await stage.settled();
  const old = await signWithActive();
  const expiration = stage.clock.now() + 90 * DAY + 3 * HOUR;
  await tokenOf(first.active, expiration);
  await stage.pass(90 * DAY - SECOND);
  expect((await stage.settled()).active).toBe(first.active);
  await stage.pass(SECOND);
  const second = await stage.settled(1);
  expect(second).toMatchObject({ active: first.standby, retired: [first.active] });
  expect(
    (await stage.keySecrets()).map(({ metadata }) => metadata.annotations?.['m2moauth.dev/kid']).sort(),
  ).toEqual([second.active, second.standby].sort());
  await verifyOffline(old);
  await stage.pass(3 * HOUR - SECOND);
  const [retired] = (await stage.keys()).filter(({ phase }) => phase === 'Retired');
  expect(retired).toMatchObject({
    kid: first.active,
    lastExpiration: new Date(expiration).toISOString().replace('.000Z', 'Z'),
  });
  expect(retired?.secretRef).toBeUndefined();
  await stage.pass(SECOND);
  await stage.settled(0);
  await expect(verifyOffline(old)).rejects.toMatchObject({ code: 'ERR_JWKS_NO_MATCHING_KEY' });
  await stage.pass(365 * DAY);
  await stage.settled();
  expect(stage.events.filter(({ reason }) => reason === 'Active').length).toBeGreaterThanOrEqual(5);
});

test('a key without tokens stays ten minutes after it retired, one with a token that never expires until that is gone', async () => {
  await stage.create();
  const first = await stage.settled();
  await tokenOf(first.active, undefined);
  await stage.patch({ metadata: { annotations: { 'm2moauth.dev/rotate': 'one' } } });
  const second = await stage.settled(1);
  await stage.pass(10 * MINUTE);
  expect((await stage.settled(1)).retired).toEqual([first.active]);
  const tokens = bodyOf(await stage.api.list(stage.ref('Token', '')));
  for (const token of tokens.items) await stage.api.delete(token);
  await stage.until(async () =>
    expect(bodyOf(await stage.api.list(stage.ref('Token', ''))).items).toEqual([]),
  );
  await stage.pass(10 * MINUTE);
  await stage.until(async () => {
    await stage.pass(10 * MINUTE);
    expect((await stage.keys()).map(({ kid }) => kid).sort()).toEqual([second.active, second.standby].sort());
  });
});

test('the annotation rotates once for each value, and one that was there from the start does not', async () => {
  const { metadata, ...ref } = stage.ref('SigningKey', 'default');
  const annotations = { 'm2moauth.dev/rotate': 'zero' };
  bodyOf(
    await stage.api.create({ ...ref, metadata: { ...metadata, annotations } as typeof metadata, spec: {} }),
  );
  const first = await stage.settled();
  expect((await stage.get()).status.lastHandledRotate).toBe('zero');
  await stage.patch({ metadata: { annotations: { 'm2moauth.dev/rotate': 'one' } } });
  const second = await stage.settled(1);
  expect(second.active).toBe(first.standby);
  expect((await stage.get()).status.lastHandledRotate).toBe('one');
  await stage.pass(MINUTE);
  expect((await stage.settled(1)).active).toBe(second.active);
  await stage.until(() => expect(stage.keyring.active()?.kid).toBe(second.active));
});

test('another algorithm is published first and signs when everyone had time to know it', async () => {
  await stage.create({ rotation: { interval: '2160h', publishBefore: '12h' } });
  const first = await stage.settled();
  await stage.patch({ spec: { algorithm: 'EdDSA' } });
  const second = await stage.settled(1);
  expect(second.active).toBe(first.active);
  expect((await stage.keys()).find(({ kid }) => kid === second.standby)?.algorithm).toBe('EdDSA');
  await stage.pass(12 * HOUR - SECOND);
  expect((await stage.settled()).active).toBe(first.active);
  await stage.pass(SECOND);
  const third = await stage.settled(1);
  expect(third.active).toBe(second.standby);
  expect((await verifyOffline(await signWithActive())).protectedHeader.alg).toBe('EdDSA');
});

test('a key that another SigningKey calls compromised is given up as well, and what takes its place signs', async () => {
  await stage.create();
  const first = await stage.settled();
  await stage.create({ compromised: [first.active] }, 'other');
  const second = await stage.settled(1);
  expect(second.active).toBe(first.standby);
  await stage.until(() => expect(stage.keyring.active()?.kid).toBe(first.standby));
});

test('a compromised key is out of the key set and signs no more, a compromised standby too; compromised only grows', async () => {
  await stage.create();
  const first = await stage.settled();
  const jwt = await signWithActive();
  await stage.patch({ spec: { compromised: [first.active] } });
  const second = await stage.settled(1);
  expect(second.active).toBe(first.standby);
  expect((await stage.jwks()).keys.map(({ kid }) => kid)).toEqual([second.active, second.standby].sort());
  await stage.until(() => expect(stage.keyring.phase(first.active)).toBe('Compromised'));
  expect(await stage.keyring.verify(jwt)).toBeUndefined();
  expect(stage.keyring.jwks().keys.map(({ kid }) => kid)).not.toContain(first.active);
  await stage.until(async () =>
    expect(
      (await stage.keySecrets()).map(({ metadata }) => metadata.annotations?.['m2moauth.dev/kid']),
    ).not.toContain(first.active),
  );
  await stage.patch({ spec: { compromised: [first.active, second.standby] } });
  const third = await stage.settled(2);
  expect(third.active).toBe(second.active);
  expect(
    (await stage.api.patch(stage.ref('SigningKey', 'default'), 'merge', { spec: { compromised: [] } }))
      .status,
  ).toBe(422);
});
