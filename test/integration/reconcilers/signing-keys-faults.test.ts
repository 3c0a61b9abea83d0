import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { ApiError } from '../../../operator/ports/kube.ts';
import { HOUR } from '../../support/durations.ts';
import { SigningKeyStage } from './signing-key-stage.ts';

jest.setTimeout(30_000);

let stage: SigningKeyStage;
beforeEach(async () => {
  stage = await SigningKeyStage.open();
});
afterEach(async () => {
  await stage[Symbol.asyncDispose]();
});

describe('failures', () => {
  const away = () => new ApiError('the API server is away', { status: 503 });
  const conflict = () => new ApiError('it changed', { status: 409, reason: 'Conflict' });

  test.each(
    ['create Secret', 'update Secret', 'updateStatus SigningKey', 'create ConfigMap'].flatMap((call) =>
      (['before', 'after'] as const).map((when) => ({ call, when })),
    ),
  )('a failure $when "$call" at the start is repaired, and makes no key too many', async ({ call, when }) => {
    stage.faults.push({ call, when, error: away() });
    await stage.create();
    const first = await stage.settled();
    await stage.until(async () => {
      const kids = (await stage.keySecrets()).map(
        ({ metadata }) => metadata.annotations?.['m2moauth.dev/kid'],
      );
      expect(kids.sort()).toEqual([first.active, first.standby].sort());
      expect((await stage.jwks()).keys).toHaveLength(2);
    });
    expect(stage.faults).toEqual([]);
    await stage.idle();
    expect(await stage.settled()).toEqual(first);
  });

  test.each(
    [
      'create Secret',
      'update Secret',
      'delete Secret',
      'updateStatus SigningKey',
      'update ConfigMap',
    ].flatMap((call) =>
      (['before', 'after'] as const).flatMap((when) => [
        { call, when, what: 'outage', error: away },
        { call, when, what: 'conflict', error: conflict },
      ]),
    ),
  )('a failure ($what) $when "$call" of a rotation is repaired', async ({ call, when, error }) => {
    await stage.create();
    const first = await stage.settled();
    await stage.idle();
    stage.faults.push({ call, when, error: error() });
    await stage.patch({ metadata: { annotations: { 'm2moauth.dev/rotate': 'one' } } });
    const second = await stage.settled(1);
    expect(second).toMatchObject({ active: first.standby, retired: [first.active] });
    await stage.until(async () => {
      const kids = (await stage.keySecrets()).map(
        ({ metadata }) => metadata.annotations?.['m2moauth.dev/kid'],
      );
      expect(kids.sort()).toEqual([second.active, second.standby].sort());
      expect((await stage.jwks()).keys).toHaveLength(3);
    });
    expect(stage.faults).toEqual([]);
  });

  test('a restart reads, and writes nothing', async () => {
    await stage.create();
    const first = await stage.settled();
    await stage.idle();
    await stage.stop();
    stage.calls.length = 0;
    await stage.start();
    await stage.until(() => expect(stage.keyring.active()?.kid).toBe(first.active));
    await stage.pass(HOUR);
    expect(stage.writes).toEqual([]);
    expect(await stage.settled()).toEqual(first);
  });

  test('no private half is in a status, a log line or an event', async () => {
    await stage.create();
    await stage.settled();
    const bodies = (await stage.keySecrets()).map(
      ({ data }) => Buffer.from(data['private.pem'], 'base64').toString('utf8').split('\n')[1] ?? 'none',
    );
    const seen = JSON.stringify([await stage.get(), stage.events, stage.kube.log.lines, await stage.jwks()]);
    for (const body of bodies) expect(seen).not.toContain(body);
  });
});
