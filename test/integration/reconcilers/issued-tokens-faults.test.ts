import { describe, expect, jest, test } from '@jest/globals';
import { ApiError } from '../../../operator/ports/kube.ts';
import { HOUR, MINUTE } from '../../support/durations.ts';
import { eventually } from '../../support/eventually.ts';
import { type CallFault, IssuedTokenStage, TTL } from './issued-token-stage.ts';

jest.setTimeout(30_000);

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
    await using stage = await IssuedTokenStage.open();
    const name = await stage.record(await stage.client(), { lifetime: HOUR });
    stage.faults.push({ call: 'update issuedtokens/status', when, error: error() });
    await stage.revoke(name);
    expect((await stage.blacklisted(name)).status.version).toBe(1);
    await stage.until(() => stage.idle());
    expect(stage.faults).toEqual([]);
    expect((await stage.get(name))?.status.version).toBe(1);
    expect(stage.calls).toEqual([`update issuedtokens/status ${name}`]);
  });

  test.each(FAILURES)('of a collection: %s', async (_, when, error) => {
    await using stage = await IssuedTokenStage.open();
    await stage.record(await stage.client(), { lifetime: MINUTE });
    stage.faults.push({ call: 'delete issuedtokens', when, error: error() });
    await stage.pass(MINUTE + TTL.afterExpiry);
    await stage.left();
    expect(stage.faults).toEqual([]);
  });

  test('of the question for a client: nothing is collected before it is answered', async () => {
    await using stage = await IssuedTokenStage.open();
    const name = await stage.record(await stage.client());
    const fault: CallFault = { call: 'get oauthclients', when: 'before', error: silence() };
    stage.faults.push(...Array.from({ length: 5 }, () => fault));
    await stage.deleteClient();
    await eventually(() => expect(stage.faults.length).toBeLessThan(5));
    expect(await stage.get(name)).toBeDefined();
    await stage.left();
    expect(stage.faults).toEqual([]);
  });
});

describe('a record that changes between plan and write meets a conflict, and is planned again', () => {
  test('of a blacklisting: revoked by its status meanwhile, the time that stands there is kept', async () => {
    await using stage = await IssuedTokenStage.open();
    const name = await stage.record(await stage.client(), { lifetime: HOUR });
    const blacklisted = { flag: true, timestamp: '2025-12-31T23:59:00Z' };
    const happen = () => stage.patch(name, { status: { version: 1, blacklisted } }, 'status');
    stage.faults.push({ call: 'update issuedtokens/status', when: 'before', happen });
    await stage.revoke(name);
    await stage.blacklisted(name);
    await stage.until(() => stage.idle());
    expect((await stage.get(name))?.status).toEqual({ version: 1, blacklisted });
    expect(stage.calls).toEqual([]);
    expect(stage.kube.metrics.calls).toContainEqual([
      'reconciled',
      'IssuedToken',
      'conflict',
      expect.anything(),
    ]);
  });

  test('of a blacklisting: labelled meanwhile', async () => {
    await using stage = await IssuedTokenStage.open();
    const name = await stage.record(await stage.client(), { lifetime: HOUR });
    const happen = () => stage.patch(name, { metadata: { labels: { a: 'b' } } });
    stage.faults.push({ call: 'update issuedtokens/status', when: 'before', happen });
    await stage.revoke(name);
    expect((await stage.blacklisted(name)).metadata.labels).toEqual({ a: 'b' });
  });

  test('of a blacklisting: deleted meanwhile', async () => {
    await using stage = await IssuedTokenStage.open();
    const name = await stage.record(await stage.client(), { lifetime: HOUR });
    const happen = () => stage.api.delete(stage.ref('IssuedToken', name));
    stage.faults.push({ call: 'update issuedtokens/status', when: 'before', happen });
    await stage.revoke(name);
    await stage.left();
    expect(stage.kube.log.lines.filter(({ level }) => level === 'error')).toEqual([]);
  });

  test('of a collection: changed meanwhile', async () => {
    await using stage = await IssuedTokenStage.open();
    const name = await stage.record(await stage.client(), { lifetime: MINUTE });
    const happen = () => stage.patch(name, { metadata: { labels: { a: 'b' } } });
    stage.faults.push({ call: 'delete issuedtokens', when: 'before', happen });
    await stage.pass(MINUTE + TTL.afterExpiry);
    await stage.left();
    expect(stage.kube.metrics.calls).toContainEqual([
      'reconciled',
      'IssuedToken',
      'conflict',
      expect.anything(),
    ]);
  });

  test('of a collection: deleted by somebody else meanwhile, which is not counted', async () => {
    await using stage = await IssuedTokenStage.open();
    const name = await stage.record(await stage.client(), { lifetime: MINUTE });
    const happen = () => stage.api.delete(stage.ref('IssuedToken', name));
    stage.faults.push({ call: 'delete issuedtokens', when: 'before', happen });
    await stage.pass(MINUTE + TTL.afterExpiry);
    await stage.left();
    expect(stage.counted('recordsCollected')).toEqual([]);
  });
});

test('a former leader writes nothing, and what it left the next one does', async () => {
  await using stage = await IssuedTokenStage.open();
  const uid = await stage.client();
  const revoked = await stage.record(uid);
  const expired = await stage.record(uid, { lifetime: MINUTE });
  stage.isLeader = false;
  await stage.revoke(revoked);
  await stage.pass(MINUTE + TTL.afterExpiry);
  await eventually(() => {
    const refused = stage.kube.log.lines.filter(({ fields }) =>
      /NotLeader/u.test(`${(fields.error as ApiError)?.reason}`),
    );
    expect(new Set(refused.map(({ fields }) => fields.key))).toEqual(
      new Set([revoked, expired].map((name) => `${stage.namespace}/${name}`)),
    );
  });
  expect((await stage.get(revoked))?.status).toBeUndefined();
  await stage.left(revoked, expired);
  expect(stage.calls).toEqual([]);
  await stage.stop();
  stage.isLeader = true;
  await stage.start();
  await stage.blacklisted(revoked);
  await stage.left(revoked);
});
