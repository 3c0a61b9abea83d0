import { beforeEach, expect, test } from '@jest/globals';
import { sumReports } from '../../../../operator/domain/client/limit-reports.ts';
import { Rejections } from '../../../../operator/issuer/limits/rejections.ts';
import { FakeClock } from '../../../support/fake-clock.ts';
import { makeClient } from '../../domain/token/fake-token.ts';

let clock: FakeClock;
let rejections: Rejections;

beforeEach(() => {
  clock = new FakeClock();
  rejections = new Rejections(clock);
});

const client = makeClient({}, 'uid-app');
const others = (count: number) =>
  Array.from({ length: count }, (_, n) => {
    const other = makeClient({}, `uid-${n}`);
    return { ...other, metadata: { ...other.metadata, name: `app-${n}` } };
  });
const reported = () => [...sumReports([rejections.report()]).values()];

test('nothing is reported where nothing was rejected', () => {
  expect(rejections.report()).toBe('');
});

test('rejections are counted by their reason, since the first', async () => {
  const since = clock.now() / 1000;
  rejections.note(client, 'RateExceeded');
  await clock.advance(60_000);
  rejections.note(client, 'RateExceeded');
  rejections.note(client, 'ActiveTokensExceeded');
  const { namespace, name } = client.metadata;
  expect(reported()).toEqual([
    { client: `${namespace}/${name}`, uid: 'uid-app', since, rateExceeded: 2, activeTokensExceeded: 1 },
  ]);
});

test('after five quiet minutes nothing is reported, and the next rejection is the first', async () => {
  rejections.note(client, 'RateExceeded');
  await clock.advance(299_000);
  expect(reported()).toHaveLength(1);
  await clock.advance(1_000);
  expect(rejections.report()).toBe('');
  rejections.note(client, 'RateExceeded');
  expect(reported()).toMatchObject([{ since: clock.now() / 1000, rateExceeded: 1 }]);
});

test('of many clients, those with the latest rejections are reported', () => {
  const many = others(100);
  for (const other of many) rejections.note(other, 'RateExceeded');
  expect(reported().map(({ uid }) => uid)).toEqual(many.slice(-64).map(({ metadata }) => metadata.uid));
});

test('a report of as many clients as there can be, with the longest names, is read', () => {
  for (const { metadata, ...other } of others(64)) {
    const name = metadata.name.padEnd(253, 'x');
    rejections.note({ ...other, metadata: { ...metadata, namespace: 'n'.repeat(63), name } }, 'RateExceeded');
  }
  expect(reported()).toHaveLength(64);
});
