import { describe, expect, jest, test } from '@jest/globals';
import { formatTime } from '../../../operator/domain/timestamps.ts';
import { uuidV5 } from '../../../operator/domain/token/token-id.ts';
import { bodyOf } from '../../support/api.ts';
import { DAY, HOUR, MINUTE, SECOND } from '../../support/durations.ts';
import { IssuedTokenStage, TTL } from './issued-token-stage.ts';

jest.setTimeout(30_000);

describe('revoking a handed-out token', () => {
  test('by a patch of its spec shows in its status within moments', async () => {
    await using stage = await IssuedTokenStage.open();
    const name = await stage.record(await stage.client(), { lifetime: HOUR });
    await stage.revoke(name);
    const { status } = await stage.blacklisted(name);
    const timestamp = formatTime(Math.floor(stage.clock.now() / 1000));
    expect(status).toEqual({ version: 1, blacklisted: { flag: true, timestamp } });
    await stage.idle();
    expect(stage.calls).toEqual([`update issuedtokens/status ${name}`]);
  });

  test('can’t be undone, by no verb and by no time', async () => {
    await using stage = await IssuedTokenStage.open();
    const name = await stage.record(await stage.client());
    await stage.revoke(name);
    const { status } = await stage.blacklisted(name);
    for (const [patch, options] of [
      [{ spec: { revoked: false } }, {}],
      [{ spec: { revoked: null } }, {}],
      [{ status: { blacklisted: { flag: false } } }, { subresource: 'status' }],
      [{ status: { blacklisted: null } }, { subresource: 'status' }],
      [{ status: null }, { subresource: 'status' }],
    ] as const) {
      const answer = await stage.api.patch(stage.ref('IssuedToken', name), 'merge', patch, options);
      expect(answer.status).toBe(422);
    }
    await stage.pass(TTL.afterBlacklisted - HOUR);
    await stage.stop();
    await stage.start();
    await stage.idle();
    expect((await stage.get(name))?.status).toEqual(status);
  });

  test('by a patch of its status needs nothing of the leader, and its time is kept', async () => {
    await using stage = await IssuedTokenStage.open();
    const name = await stage.record(await stage.client(), { lifetime: HOUR });
    const blacklisted = { flag: true, timestamp: '2025-12-31T23:59:00Z' };
    const { metadata } = await stage.patch(name, { status: { blacklisted } }, 'status');
    await stage.known(name, metadata.resourceVersion);
    await stage.idle();
    expect((await stage.get(name))?.status).toEqual({ blacklisted });
    expect(stage.calls).toEqual([]);
  });

  test('while no leader was there is written down by the next one', async () => {
    await using stage = await IssuedTokenStage.open({ started: false });
    const name = await stage.record(await stage.client(), { lifetime: HOUR });
    await stage.revoke(name);
    await stage.start();
    await stage.blacklisted(name);
  });
});

describe('a key that is compromised', () => {
  test('takes the tokens that it signed with it, and no others', async () => {
    await using stage = await IssuedTokenStage.open();
    const uid = await stage.client();
    const before = stage.kid;
    const names = [await stage.record(uid, { lifetime: HOUR }), await stage.record(uid)];
    await stage.keyring.rotate();
    const other = await stage.record(uid);
    stage.keyring.set(before, 'Compromised');
    for (const name of names) expect((await stage.blacklisted(name)).status.version).toBe(1);
    const late = await stage.record(uid, { kid: before });
    await stage.blacklisted(late);
    await stage.idle();
    expect((await stage.get(other))?.status).toBeUndefined();
  });

  test('while no leader was there is met by the next one; one that is merely unknown changes nothing', async () => {
    await using stage = await IssuedTokenStage.open({ started: false });
    const uid = await stage.client();
    const name = await stage.record(uid);
    const unknown = await stage.record(uid, { kid: 'z'.repeat(43) });
    stage.keyring.set(stage.kid, 'Compromised');
    await stage.start();
    await stage.blacklisted(name);
    await stage.idle();
    expect((await stage.get(unknown))?.status).toBeUndefined();
  });
});

describe('a record is collected', () => {
  test('an hour after its token expired, blacklisted or not, and not before', async () => {
    await using stage = await IssuedTokenStage.open();
    const uid = await stage.client();
    const names = [
      await stage.record(uid, { lifetime: MINUTE }),
      await stage.record(uid, { lifetime: MINUTE }),
    ];
    const longer = await stage.record(uid, { lifetime: HOUR });
    await stage.revoke(names[1] ?? '');
    await stage.blacklisted(names[1] ?? '');
    // Times are written in whole seconds.
    await stage.pass(MINUTE + TTL.afterExpiry - SECOND);
    await stage.left(...names, longer);
    await stage.pass(SECOND);
    await stage.left(longer);
    expect(stage.counted('recordsCollected')).toEqual([
      ['Expired', 1],
      ['Expired', 1],
    ]);
  });

  test('thirty days after it was blacklisted where it never expires', async () => {
    await using stage = await IssuedTokenStage.open();
    const uid = await stage.client();
    const [revoked, good] = [await stage.record(uid), await stage.record(uid)];
    await stage.revoke(revoked);
    await stage.blacklisted(revoked);
    await stage.pass(TTL.afterBlacklisted - SECOND);
    await stage.left(revoked, good);
    await stage.pass(SECOND);
    await stage.left(good);
    expect(stage.counted('recordsCollected')).toEqual([['Blacklisted', 1]]);
    await stage.pass(1000 * DAY);
    await stage.left(good);
  });

  test('when its client is deleted, and no other client’s with it', async () => {
    await using stage = await IssuedTokenStage.open();
    const uid = await stage.client();
    await stage.record(uid, { lifetime: HOUR });
    await stage.record(uid);
    const other = await stage.record(await stage.client('other'), { client: 'other' });
    await stage.deleteClient();
    await stage.left(other);
    expect(stage.counted('recordsCollected')).toEqual([
      ['ClientGone', 1],
      ['ClientGone', 1],
    ]);
  });

  test('when its client is made anew under the same name, and the new one’s stay', async () => {
    await using stage = await IssuedTokenStage.open();
    await stage.record(await stage.client());
    await stage.deleteClient();
    const fresh = await stage.record(await stage.client());
    await stage.left(fresh);
  });

  test('by the next leader where its client went, or it expired, while none was there', async () => {
    await using stage = await IssuedTokenStage.open({ started: false });
    await stage.record(await stage.client('gone'), { client: 'gone' });
    await stage.record(await stage.client('anew'), { client: 'anew' });
    await stage.deleteClient('gone');
    await stage.deleteClient('anew');
    const fresh = await stage.record(await stage.client('anew'), { client: 'anew' });
    await stage.record(await stage.client(), { lifetime: MINUTE });
    await stage.clock.advance(DAY);
    await stage.start();
    await stage.left(fresh);
  });

  test('with all others of its client at one question, though they are many', async () => {
    await using stage = await IssuedTokenStage.open();
    const uid = await stage.client();
    const other = await stage.record(await stage.client('other'), { client: 'other' });
    for (let round = 0; round < 20; round++) {
      await Promise.all(Array.from({ length: 20 }, () => stage.record(uid, { lifetime: HOUR })));
    }
    await stage.deleteClient();
    await stage.left(other);
    expect(stage.sent.filter((call) => call.startsWith('get'))).toEqual(['get oauthclients app']);
    expect(stage.counted('recordsCollected')).toHaveLength(400);
  });
});

describe('a record stays', () => {
  test('though the cache does not know its client, where the API server does; it is asked once a minute', async () => {
    await using stage = await IssuedTokenStage.open();
    stage.unseen.add(`${stage.namespace}/app`);
    const uid = await stage.client();
    const name = await stage.record(uid);
    await stage.until(() => expect(stage.calls).toEqual(['get oauthclients app']));
    await stage.pass(MINUTE);
    await stage.until(() => expect(stage.calls).toHaveLength(2));
    await stage.left(name);
    stage.unseen.clear();
    await stage.pass(HOUR);
    expect(stage.calls).toHaveLength(2);
    await stage.deleteClient();
    await stage.left();
  });

  test('while its client’s own assertion could be used again, though the client is gone', async () => {
    await using stage = await IssuedTokenStage.open();
    const uid = await stage.client();
    const derived = await stage.record(uid, { id: uuidV5(uid, 'an assertion'), lifetime: MINUTE });
    await stage.record(uid);
    await stage.deleteClient();
    await stage.left(derived);
    await stage.pass(5 * MINUTE);
    await stage.left(derived);
    await stage.pass(2 * MINUTE);
    await stage.left();
  });

  test('as somebody’s finalizer wants, and is deleted once', async () => {
    await using stage = await IssuedTokenStage.open();
    const name = await stage.record(await stage.client(), { lifetime: MINUTE });
    const held = await stage.patch(name, { metadata: { finalizers: ['example.com/held'] } });
    await stage.known(name, held.metadata.resourceVersion);
    await stage.pass(MINUTE + TTL.afterExpiry);
    await stage.until(async () => expect((await stage.get(name))?.metadata.deletionTimestamp).toBeDefined());
    await stage.stop();
    await stage.start();
    await stage.pass(DAY);
    expect(stage.calls).toEqual([`delete issuedtokens ${name}`]);
    await stage.patch(name, { metadata: { finalizers: null } });
    await stage.left();
  });
});

test('a new leader that meets good records asks nothing and writes nothing', async () => {
  await using stage = await IssuedTokenStage.open({ started: false });
  const uid = await stage.client();
  const names = [await stage.record(uid), await stage.record(uid, { lifetime: DAY })];
  const revoked = await stage.record(uid);
  bodyOf(
    await stage.api.patch(
      stage.ref('IssuedToken', revoked),
      'merge',
      {
        status: { version: 1, blacklisted: { flag: true, timestamp: formatTime(stage.clock.now() / 1000) } },
      },
      { subresource: 'status' },
    ),
  );
  await stage.start();
  await stage.pass(HOUR);
  await stage.left(...names, revoked);
  expect(stage.calls).toEqual([]);
});
