import { describe, expect, test } from '@jest/globals';
import { ApiError } from '../../../operator/ports/kube.ts';
import { HOUR, MINUTE } from '../../support/durations.ts';
import { eventually } from '../../support/eventually.ts';
import { type CallFault, IssuedTokenEnv, TTL } from './issued-token-env.ts';

const silence = () => new ApiError('no answer', { status: 0, reason: 'Unreachable' });
const busy = () => new ApiError('busy', { status: 503, reason: 'ServiceUnavailable' });

type Row = readonly [name: string, when: CallFault['when'], error: () => Error];
const FAILURES: readonly Row[] = [
  ['no answer, nothing done', 'before', silence],
  ['no answer, all done', 'after', silence],
  ['too busy', 'before', busy],
];

describe('one failure at a write, and the next pass repairs it', () => {
  test.each(FAILURES)('of a blacklisting: %s', async (_, when, error) => {
    await using env = await IssuedTokenEnv.open();
    const name = await env.record(await env.client(), { lifetime: HOUR });
    env.faults.push({ call: 'update issuedtokens/status', when, error: error() });
    await env.revoke(name);
    expect((await env.blacklisted(name)).status.version).toBe(1);
    await env.until(() => env.idle());
    expect(env.faults).toEqual([]);
    expect((await env.get(name))?.status.version).toBe(1);
    expect(env.calls).toEqual([`update issuedtokens/status ${name}`]);
  });

  test.each(FAILURES)('of a collection: %s', async (_, when, error) => {
    await using env = await IssuedTokenEnv.open();
    await env.record(await env.client(), { lifetime: MINUTE });
    env.faults.push({ call: 'delete issuedtokens', when, error: error() });
    await env.pass(MINUTE + TTL.afterExpiry);
    await env.left();
    expect(env.faults).toEqual([]);
  });

  test('of the question for a client: nothing is collected before it is answered', async () => {
    await using env = await IssuedTokenEnv.open();
    const name = await env.record(await env.client());
    const fault: CallFault = { call: 'get oauthclients', when: 'before', error: silence() };
    env.faults.push(...Array.from({ length: 5 }, () => fault));
    await env.deleteClient();
    await eventually(() => expect(env.faults.length).toBeLessThan(5));
    expect(await env.get(name)).toBeDefined();
    await env.left();
    expect(env.faults).toEqual([]);
  });
});

describe('a record that changes between plan and write causes a conflict, and is planned again', () => {
  test('of a blacklisting: revoked by its status meanwhile, the time that stands there is kept', async () => {
    await using env = await IssuedTokenEnv.open();
    const name = await env.record(await env.client(), { lifetime: HOUR });
    const blacklisted = { flag: true, timestamp: '2025-12-31T23:59:00Z' };
    const happen = () => env.patch(name, { status: { version: 1, blacklisted } }, 'status');
    env.faults.push({ call: 'update issuedtokens/status', when: 'before', happen });
    await env.revoke(name);
    await env.blacklisted(name);
    await env.until(() => env.idle());
    expect((await env.get(name))?.status).toEqual({ version: 1, blacklisted });
    expect(env.calls).toEqual([]);
    expect(env.kube.metrics.calls).toContainEqual([
      'reconciled',
      'IssuedToken',
      'conflict',
      expect.anything(),
    ]);
  });

  test('of a blacklisting: labelled meanwhile', async () => {
    await using env = await IssuedTokenEnv.open();
    const name = await env.record(await env.client(), { lifetime: HOUR });
    const happen = () => env.patch(name, { metadata: { labels: { a: 'b' } } });
    env.faults.push({ call: 'update issuedtokens/status', when: 'before', happen });
    await env.revoke(name);
    expect((await env.blacklisted(name)).metadata.labels).toEqual({ a: 'b' });
  });

  test('of a blacklisting: deleted meanwhile', async () => {
    await using env = await IssuedTokenEnv.open();
    const name = await env.record(await env.client(), { lifetime: HOUR });
    const happen = () => env.api.delete(env.ref('IssuedToken', name));
    env.faults.push({ call: 'update issuedtokens/status', when: 'before', happen });
    await env.revoke(name);
    await env.left();
    expect(env.kube.log.lines.filter(({ level }) => level === 'error')).toEqual([]);
  });

  test('of a collection: changed meanwhile', async () => {
    await using env = await IssuedTokenEnv.open();
    const name = await env.record(await env.client(), { lifetime: MINUTE });
    const happen = () => env.patch(name, { metadata: { labels: { a: 'b' } } });
    env.faults.push({ call: 'delete issuedtokens', when: 'before', happen });
    await env.pass(MINUTE + TTL.afterExpiry);
    await env.left();
    expect(env.kube.metrics.calls).toContainEqual([
      'reconciled',
      'IssuedToken',
      'conflict',
      expect.anything(),
    ]);
  });

  test('of a collection: deleted by another client meanwhile, which is not counted', async () => {
    await using env = await IssuedTokenEnv.open();
    const name = await env.record(await env.client(), { lifetime: MINUTE });
    const happen = () => env.api.delete(env.ref('IssuedToken', name));
    env.faults.push({ call: 'delete issuedtokens', when: 'before', happen });
    await env.pass(MINUTE + TTL.afterExpiry);
    await env.left();
    expect(env.counted('recordsCollected')).toEqual([]);
  });
});

test('a former leader writes nothing, and what it left the next one does', async () => {
  await using env = await IssuedTokenEnv.open();
  const uid = await env.client();
  const revoked = await env.record(uid);
  const expired = await env.record(uid, { lifetime: MINUTE });
  env.isLeader = false;
  await env.revoke(revoked);
  await env.pass(MINUTE + TTL.afterExpiry);
  await eventually(() => {
    const rejected = env.kube.log.lines.filter(({ fields }) =>
      /NotLeader/u.test(`${(fields.error as ApiError)?.reason}`),
    );
    expect(new Set(rejected.map(({ fields }) => fields.key))).toEqual(
      new Set([revoked, expired].map((name) => `${env.namespace}/${name}`)),
    );
  });
  expect((await env.get(revoked))?.status).toBeUndefined();
  await env.left(revoked, expired);
  expect(env.calls).toEqual([]);
  await env.stop();
  env.isLeader = true;
  await env.start();
  await env.blacklisted(revoked);
  await env.left(revoked);
});
