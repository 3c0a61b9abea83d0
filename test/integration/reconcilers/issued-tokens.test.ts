import { describe, expect, test } from '@jest/globals';
import { formatTime } from '../../../operator/api/time.ts';
import { uuidV5 } from '../../../operator/domain/token/declared-token.ts';
import { bodyOf } from '../../support/api.ts';
import { DAY, HOUR, MINUTE, SECOND } from '../../support/durations.ts';
import { IssuedTokenEnv, TTL } from './issued-token-env.ts';

describe('revoking an issued token', () => {
  test('by a patch of its spec shows in its status within moments', async () => {
    await using env = await IssuedTokenEnv.open();
    const name = await env.record(await env.client(), { lifetime: HOUR });
    await env.revoke(name);
    const { status } = await env.blacklisted(name);
    const timestamp = formatTime(Math.floor(env.clock.now() / 1000));
    expect(status).toEqual({ version: 1, blacklisted: { flag: true, timestamp } });
    await env.idle();
    expect(env.calls).toEqual([`update issuedtokens/status ${name}`]);
  });

  test('can’t be undone, by no verb and by no time', async () => {
    await using env = await IssuedTokenEnv.open();
    const name = await env.record(await env.client());
    await env.revoke(name);
    const { status } = await env.blacklisted(name);
    for (const [patch, options] of [
      [{ spec: { revoked: false } }, {}],
      [{ spec: { revoked: null } }, {}],
      [{ status: { blacklisted: { flag: false } } }, { subresource: 'status' }],
      [{ status: { blacklisted: null } }, { subresource: 'status' }],
      [{ status: null }, { subresource: 'status' }],
    ] as const) {
      const answer = await env.api.patch(env.ref('IssuedToken', name), 'merge', patch, options);
      expect(answer.status).toBe(422);
    }
    await env.pass(TTL.afterBlacklisted - HOUR);
    await env.stop();
    await env.start();
    await env.idle();
    expect((await env.get(name))?.status).toEqual(status);
  });

  test('by a patch of its status needs nothing of the leader, and its time is kept', async () => {
    await using env = await IssuedTokenEnv.open();
    const name = await env.record(await env.client(), { lifetime: HOUR });
    const blacklisted = { flag: true, timestamp: '2025-12-31T23:59:00Z' };
    const { metadata } = await env.patch(name, { status: { blacklisted } }, 'status');
    await env.known(name, metadata.resourceVersion);
    await env.idle();
    expect((await env.get(name))?.status).toEqual({ blacklisted });
    expect(env.calls).toEqual([]);
  });

  test('while no leader was there is written down by the next one', async () => {
    await using env = await IssuedTokenEnv.open({ started: false });
    const name = await env.record(await env.client(), { lifetime: HOUR });
    await env.revoke(name);
    await env.start();
    await env.blacklisted(name);
  });
});

describe('a key that is compromised', () => {
  test('takes the tokens that it signed with it, and no others', async () => {
    await using env = await IssuedTokenEnv.open();
    const uid = await env.client();
    const before = env.kid;
    const names = [await env.record(uid, { lifetime: HOUR }), await env.record(uid)];
    await env.keyring.rotate();
    const other = await env.record(uid);
    env.keyring.set(before, 'Compromised');
    for (const name of names) expect((await env.blacklisted(name)).status.version).toBe(1);
    const late = await env.record(uid, { kid: before });
    await env.blacklisted(late);
    await env.idle();
    expect((await env.get(other))?.status).toBeUndefined();
  });

  test('while there was no leader is handled by the next one; one that is merely unknown changes nothing', async () => {
    await using env = await IssuedTokenEnv.open({ started: false });
    const uid = await env.client();
    const name = await env.record(uid);
    const unknown = await env.record(uid, { kid: 'z'.repeat(43) });
    env.keyring.set(env.kid, 'Compromised');
    await env.start();
    await env.blacklisted(name);
    await env.idle();
    expect((await env.get(unknown))?.status).toBeUndefined();
  });
});

describe('a record is collected', () => {
  test('an hour after its token expired, blacklisted or not, and not before', async () => {
    await using env = await IssuedTokenEnv.open();
    const uid = await env.client();
    const names = [await env.record(uid, { lifetime: MINUTE }), await env.record(uid, { lifetime: MINUTE })];
    const longer = await env.record(uid, { lifetime: HOUR });
    await env.revoke(names[1] ?? '');
    await env.blacklisted(names[1] ?? '');
    // Times are written in whole seconds.
    await env.pass(MINUTE + TTL.afterExpiry - SECOND);
    await env.left(...names, longer);
    await env.pass(SECOND);
    await env.left(longer);
    expect(env.counted('recordsCollected')).toEqual([
      ['Expired', 1],
      ['Expired', 1],
    ]);
  });

  test('thirty days after it was blacklisted where it never expires', async () => {
    await using env = await IssuedTokenEnv.open();
    const uid = await env.client();
    const [revoked, valid] = [await env.record(uid), await env.record(uid)];
    await env.revoke(revoked);
    await env.blacklisted(revoked);
    await env.pass(TTL.afterBlacklisted - SECOND);
    await env.left(revoked, valid);
    await env.pass(SECOND);
    await env.left(valid);
    expect(env.counted('recordsCollected')).toEqual([['Blacklisted', 1]]);
    await env.pass(1000 * DAY);
    await env.left(valid);
  });

  test('when its client is deleted, and no other client’s with it', async () => {
    await using env = await IssuedTokenEnv.open();
    const uid = await env.client();
    await env.record(uid, { lifetime: HOUR });
    await env.record(uid);
    const other = await env.record(await env.client('other'), { client: 'other' });
    await env.deleteClient();
    await env.left(other);
    expect(env.counted('recordsCollected')).toEqual([
      ['ClientGone', 1],
      ['ClientGone', 1],
    ]);
  });

  test('when its client is made anew under the same name, and the new one’s stay', async () => {
    await using env = await IssuedTokenEnv.open();
    await env.record(await env.client());
    await env.deleteClient();
    const fresh = await env.record(await env.client());
    await env.left(fresh);
  });

  test('by the next leader where its client went, or it expired, while none was there', async () => {
    await using env = await IssuedTokenEnv.open({ started: false });
    await env.record(await env.client('gone'), { client: 'gone' });
    await env.record(await env.client('anew'), { client: 'anew' });
    await env.deleteClient('gone');
    await env.deleteClient('anew');
    const fresh = await env.record(await env.client('anew'), { client: 'anew' });
    await env.record(await env.client(), { lifetime: MINUTE });
    await env.clock.advance(DAY);
    await env.start();
    await env.left(fresh);
  });

  test('with all others of its client at one question, though they are many', async () => {
    await using env = await IssuedTokenEnv.open();
    const uid = await env.client();
    const other = await env.record(await env.client('other'), { client: 'other' });
    for (let round = 0; round < 20; round++) {
      await Promise.all(Array.from({ length: 20 }, () => env.record(uid, { lifetime: HOUR })));
    }
    await env.deleteClient();
    await env.left(other);
    expect(env.sent.filter((call) => call.startsWith('get'))).toEqual(['get oauthclients app']);
    expect(env.counted('recordsCollected')).toHaveLength(400);
  });
});

describe('a record stays', () => {
  test('though the cache does not know its client, where the API server does; it is asked once a minute', async () => {
    await using env = await IssuedTokenEnv.open();
    env.unseen.add(`${env.namespace}/app`);
    const uid = await env.client();
    const name = await env.record(uid);
    await env.until(() => expect(env.calls).toEqual(['get oauthclients app']));
    await env.pass(MINUTE);
    await env.until(() => expect(env.calls).toHaveLength(2));
    await env.left(name);
    env.unseen.clear();
    await env.pass(HOUR);
    expect(env.calls).toHaveLength(2);
    await env.deleteClient();
    await env.left();
  });

  test('while its client’s own assertion could be used again, though the client is gone', async () => {
    await using env = await IssuedTokenEnv.open();
    const uid = await env.client();
    const derived = await env.record(uid, { id: uuidV5(uid, 'an assertion'), lifetime: MINUTE });
    await env.record(uid);
    await env.deleteClient();
    await env.left(derived);
    await env.pass(5 * MINUTE);
    await env.left(derived);
    await env.pass(2 * MINUTE);
    await env.left();
  });

  test('while a finalizer holds it, and is deleted once', async () => {
    await using env = await IssuedTokenEnv.open();
    const name = await env.record(await env.client(), { lifetime: MINUTE });
    const held = await env.patch(name, { metadata: { finalizers: ['example.com/held'] } });
    await env.known(name, held.metadata.resourceVersion);
    await env.pass(MINUTE + TTL.afterExpiry);
    await env.until(async () => expect((await env.get(name))?.metadata.deletionTimestamp).toBeDefined());
    await env.stop();
    await env.start();
    await env.pass(DAY);
    expect(env.calls).toEqual([`delete issuedtokens ${name}`]);
    await env.patch(name, { metadata: { finalizers: null } });
    await env.left();
  });
});

test('a new leader reads nothing and writes nothing for valid records', async () => {
  await using env = await IssuedTokenEnv.open({ started: false });
  const uid = await env.client();
  const names = [await env.record(uid), await env.record(uid, { lifetime: DAY })];
  const revoked = await env.record(uid);
  bodyOf(
    await env.api.patch(
      env.ref('IssuedToken', revoked),
      'merge',
      {
        status: { version: 1, blacklisted: { flag: true, timestamp: formatTime(env.clock.now() / 1000) } },
      },
      { subresource: 'status' },
    ),
  );
  await env.start();
  await env.pass(HOUR);
  await env.left(...names, revoked);
  expect(env.calls).toEqual([]);
});
