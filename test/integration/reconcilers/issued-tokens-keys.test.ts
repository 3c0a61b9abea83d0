import { randomUUID } from 'node:crypto';
import { expect, jest, test } from '@jest/globals';
import { floorSeconds, formatTime } from '../../../operator/domain/timestamps.ts';
import { bodyOf } from '../../support/api.ts';
import { HOUR, MINUTE, SECOND } from '../../support/durations.ts';
import { SigningKeyStage } from './signing-key-stage.ts';

jest.setTimeout(30_000);

/** A handed-out token that the key has signed; `lifetime` in milliseconds, absent = it never expires. Its name. */
const issueToken = async (stage: SigningKeyStage, keyID: string, lifetime?: number): Promise<string> => {
  const ref = stage.ref('IssuedToken', randomUUID());
  const seconds = floorSeconds(stage.clock.now());
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
  return bodyOf(await stage.api.create({ ...ref, spec })).metadata.name;
};

const rotate = (stage: SigningKeyStage) =>
  stage.patch({ metadata: { annotations: { 'm2moauth.dev/rotate': 'now' } } });

test('a retired key stays in the key set until the last handed-out token that it signed has expired', async () => {
  await using stage = await SigningKeyStage.open();
  await stage.create();
  const { active } = await stage.settled();
  await issueToken(stage, active, HOUR);
  await issueToken(stage, active, 3 * HOUR);
  const expiration = formatTime(floorSeconds(stage.clock.now() + 3 * HOUR));
  await rotate(stage);
  expect((await stage.settled(1)).retired).toEqual([active]);
  await stage.until(async () =>
    expect((await stage.keys()).find(({ kid }) => kid === active)?.lastExpiration).toBe(expiration),
  );
  await stage.pass(3 * HOUR - SECOND);
  expect((await stage.settled(1)).retired).toEqual([active]);
  expect((await stage.jwks()).keys.map(({ kid }) => kid)).toContain(active);
  await stage.pass(SECOND);
  await stage.settled(0);
  expect((await stage.jwks()).keys.map(({ kid }) => kid)).not.toContain(active);
});

test('one that signed a token without expiration stays until that is revoked', async () => {
  await using stage = await SigningKeyStage.open();
  await stage.create();
  const { active } = await stage.settled();
  const name = await issueToken(stage, active);
  await rotate(stage);
  await stage.settled(1);
  await stage.pass(5 * HOUR);
  expect((await stage.settled(1)).retired).toEqual([active]);
  bodyOf(await stage.api.patch(stage.ref('IssuedToken', name), 'merge', { spec: { revoked: true } }));
  await stage.until(async () => {
    await stage.pass(10 * MINUTE);
    expect((await stage.keys()).map(({ kid }) => kid)).not.toContain(active);
  });
});
