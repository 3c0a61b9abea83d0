import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { ApiError } from '../../../operator/ports/kube.ts';
import { HOUR } from '../../support/durations.ts';
import { SigningKeyEnv } from './signing-key-env.ts';

let env: SigningKeyEnv;
beforeEach(async () => {
  env = await SigningKeyEnv.open();
});
afterEach(async () => {
  await env[Symbol.asyncDispose]();
});

describe('failures', () => {
  const away = () => new ApiError('the API server is away', { status: 503 });
  const conflict = () => new ApiError('it changed', { status: 409, reason: 'Conflict' });

  test.each(
    ['create Secret', 'update Secret', 'updateStatus SigningKey', 'create ConfigMap'].flatMap((call) =>
      (['before', 'after'] as const).map((when) => ({ call, when })),
    ),
  )('a failure $when "$call" at the start is repaired, and makes no key too many', async ({ call, when }) => {
    env.faults.push({ call, when, error: away() });
    await env.create();
    const first = await env.settled();
    await env.until(async () => {
      const kids = (await env.keySecrets()).map(({ metadata }) => metadata.annotations?.['m2moauth.dev/kid']);
      expect(kids.sort()).toEqual([first.active, first.standby].sort());
      expect((await env.jwks()).keys).toHaveLength(2);
    });
    expect(env.faults).toEqual([]);
    await env.idle();
    expect(await env.settled()).toEqual(first);
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
    await env.create();
    const first = await env.settled();
    await env.idle();
    env.faults.push({ call, when, error: error() });
    await env.patch({ metadata: { annotations: { 'm2moauth.dev/rotate': 'one' } } });
    const second = await env.settled(1);
    expect(second).toMatchObject({ active: first.standby, retired: [first.active] });
    await env.until(async () => {
      const kids = (await env.keySecrets()).map(({ metadata }) => metadata.annotations?.['m2moauth.dev/kid']);
      expect(kids.sort()).toEqual([second.active, second.standby].sort());
      expect((await env.jwks()).keys).toHaveLength(3);
    });
    expect(env.faults).toEqual([]);
  });

  test('a restart reads, and writes nothing', async () => {
    await env.create();
    const first = await env.settled();
    await env.idle();
    await env.stop();
    env.calls.length = 0;
    await env.start();
    await env.until(() => expect(env.keyring.active()?.kid).toBe(first.active));
    await env.pass(HOUR);
    expect(env.writes).toEqual([]);
    expect(await env.settled()).toEqual(first);
  });

  test('no private half is in a status, a log line or an event', async () => {
    await env.create();
    await env.settled();
    const bodies = (await env.keySecrets()).map(
      ({ data }) => Buffer.from(data['private.pem'], 'base64').toString('utf8').split('\n')[1] ?? 'none',
    );
    const seen = JSON.stringify([await env.get(), env.events, env.kube.log.lines, await env.jwks()]);
    for (const body of bodies) expect(seen).not.toContain(body);
  });
});
