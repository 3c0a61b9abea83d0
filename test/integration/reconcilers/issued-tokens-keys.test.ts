import { randomUUID } from 'node:crypto';
import { expect, test } from '@jest/globals';
import { floorSeconds, formatTime } from '../../../operator/api/time.ts';
import { bodyOf } from '../../support/api.ts';
import { HOUR, MINUTE, SECOND } from '../../support/durations.ts';
import { SigningKeyEnv } from './signing-key-env.ts';

/** An issued token that the key has signed; `lifetime` in milliseconds, absent = it never expires. Its name. */
const issueToken = async (env: SigningKeyEnv, keyID: string, lifetime?: number): Promise<string> => {
  const ref = env.ref('IssuedToken', randomUUID());
  const seconds = floorSeconds(env.clock.now());
  const spec = {
    clientRef: { name: 'app' },
    clientID: 'app',
    clientUID: randomUUID(),
    owner: 'alice',
    subject: 'alice',
    issuedAt: formatTime(seconds),
    keyID,
    ...(lifetime !== undefined && { expiration: formatTime(seconds + lifetime / 1000) }),
  };
  return bodyOf(await env.api.create({ ...ref, spec })).metadata.name;
};

const rotate = (env: SigningKeyEnv) =>
  env.patch({ metadata: { annotations: { 'm2moauth.dev/rotate': 'now' } } });

test('a retired key stays in the key set until the last issued token that it signed has expired', async () => {
  await using env = await SigningKeyEnv.open();
  await env.create();
  const { active } = await env.settled();
  await issueToken(env, active, HOUR);
  await issueToken(env, active, 3 * HOUR);
  const expiration = formatTime(floorSeconds(env.clock.now() + 3 * HOUR));
  await rotate(env);
  expect((await env.settled(1)).retired).toEqual([active]);
  await env.until(async () =>
    expect((await env.keys()).find(({ kid }) => kid === active)?.lastExpiration).toBe(expiration),
  );
  await env.pass(3 * HOUR - SECOND);
  expect((await env.settled(1)).retired).toEqual([active]);
  expect((await env.jwks()).keys.map(({ kid }) => kid)).toContain(active);
  await env.pass(SECOND);
  await env.settled(0);
  expect((await env.jwks()).keys.map(({ kid }) => kid)).not.toContain(active);
});

test('one that signed a token without expiration stays until that is revoked', async () => {
  await using env = await SigningKeyEnv.open();
  await env.create();
  const { active } = await env.settled();
  const name = await issueToken(env, active);
  await rotate(env);
  await env.settled(1);
  await env.pass(5 * HOUR);
  expect((await env.settled(1)).retired).toEqual([active]);
  bodyOf(await env.api.patch(env.ref('IssuedToken', name), 'merge', { spec: { revoked: true } }));
  await env.until(async () => {
    await env.pass(10 * MINUTE);
    expect((await env.keys()).map(({ kid }) => kid)).not.toContain(active);
  });
});
