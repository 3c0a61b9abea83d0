import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import {
  type CachedIssuedToken,
  ISSUED_INDEXERS,
} from '../../../../operator/domain/record/cached-issued-token.ts';
import {
  BATCH_INDEXERS,
  type CachedTokenBatch,
} from '../../../../operator/domain/record/cached-token-batch.ts';
import { isLive } from '../../../../operator/domain/record/token-record.ts';
import { LiveTally, LiveTokens } from '../../../../operator/issuer/limits/live-tokens.ts';
import { ObjectStore } from '../../../../operator/runtime/object-store.ts';
import { recordedLog } from '../../../support/quiet.ts';
import { batchWith, timeAt } from '../../domain/record/batch-fixtures.ts';
import {
  BEGIN,
  CLIENT_UID,
  makeRecord,
  type RecordTraits,
  recordClient,
} from '../../domain/record/issued-token-fixtures.ts';

const idOf = (n: number): string => `5b2f0f0e-8f0a-4d53-9c1a-${String(n).padStart(12, '0')}`;
const at = (seconds: number): number => (BEGIN + seconds) * 1000;
const client = recordClient();

const openLive = () => {
  const log = recordedLog();
  const issued = new ObjectStore<CachedIssuedToken>({ log, indexers: ISSUED_INDEXERS });
  const batches = new ObjectStore<CachedTokenBatch>({ log, indexers: BATCH_INDEXERS });
  const deferred: (() => void)[] = [];
  const live = new LiveTokens({ issued, batches }, (work) => deferred.push(work));
  live.connect();
  /** Runs turns of the event loop until nothing is deferred; how many. */
  const finish = (): number => {
    let turns = 0;
    for (let work = deferred.shift(); work; work = deferred.shift()) {
      work();
      turns += 1;
    }
    return turns;
  };
  return { issued, batches, live, finish };
};

describe('of a client', () => {
  test.each<[string, RecordTraits[], number]>([
    ['without records, none is live', [], 0],
    ['unexpired ones and those without expiration are', [{ expiresAt: 60 }, {}, { expiresAt: 11 }], 3],
    ['expired ones are not', [{ expiresAt: 10 }, { expiresAt: 9 }], 0],
    ['blacklisted ones and those to be blacklisted are not', [{ blacklistedAt: 1 }, { revoked: true }], 0],
    ['those that were created again are not', [{ createdAt: 841 }, { createdAt: 841, expiresAt: 9999 }], 0],
    ['those of a client of the same name that is gone are not', [{ clientUID: 'gone' }], 0],
  ])('%s', (_name, records, expected) => {
    const { issued, live } = openLive();
    for (const [n, traits] of records.entries()) issued.apply(makeRecord({ id: idOf(n), ...traits }));
    expect(live.of(client).count(at(10))).toBe(expected);
  });

  test('records of a batch count each, but for blacklisted and deleted ones', () => {
    const { batches, live } = openLive();
    batches.apply(
      batchWith([{ expiresAt: 60 }, { expiresAt: 60 }, { expiresAt: 90 }, {}], {
        blacklisted: { 1: timeAt(1) },
        deleted: [3],
      }),
    );
    expect([
      live.of(client).count(at(10)),
      live.of(client).count(at(60)),
      live.of(client).count(at(90)),
    ]).toEqual([2, 1, 0]);
  });

  test('records of a batch that were created again are not, before and after it changes', () => {
    const { batches, live } = openLive();
    const records = [{ issuedAt: BEGIN - 841 }, { issuedAt: BEGIN - 841, expiresAt: 60 }, { expiresAt: 60 }];
    batches.apply(batchWith(records));
    const tally = live.of(client);
    expect(tally.count(at(10))).toBe(1);
    batches.apply(batchWith(records, { blacklisted: { 0: timeAt(1) } }, { resourceVersion: '2' }));
    expect(tally.count(at(10))).toBe(1);
    batches.remove(batchWith(records, {}, { resourceVersion: '3' }));
    expect(tally.count(at(10))).toBe(0);
  });

  test('they are counted as they come, are blacklisted, expire and go', () => {
    const { issued, batches, live } = openLive();
    const tally = live.of(client);
    issued.apply(makeRecord({ id: idOf(1), expiresAt: 60 }));
    issued.apply(makeRecord({ id: idOf(2), expiresAt: 90 }));
    batches.apply(batchWith([{ expiresAt: 60 }, {}]));
    expect(tally.count(at(0))).toBe(4);
    batches.apply(
      batchWith([{ expiresAt: 60 }, {}], { blacklisted: { 1: timeAt(1) } }, { resourceVersion: '2' }),
    );
    expect(tally.count(at(0))).toBe(3);
    expect(tally.count(at(60))).toBe(1);
    issued.remove(makeRecord({ id: idOf(1), expiresAt: 60, resourceVersion: '5' }));
    expect(tally.count(at(60))).toBe(1);
    issued.remove(makeRecord({ id: idOf(2), expiresAt: 90, resourceVersion: '6' }));
    expect(tally.count(at(60))).toBe(0);
  });

  test('that was made again under its name, those of the one before do not count', () => {
    const { issued, live } = openLive();
    issued.apply(makeRecord({ id: idOf(1) }));
    expect(live.of(client).count(at(0))).toBe(1);
    const again = recordClient('again');
    expect(live.of(again).count(at(0))).toBe(0);
    issued.apply(makeRecord({ id: idOf(2), clientUID: 'again' }));
    expect(live.of(again).count(at(0))).toBe(1);
  });

  test('that is forgotten and asked for again, they are counted anew', () => {
    const { issued, live } = openLive();
    expect(live.of(client).count(at(0))).toBe(0);
    live.forget('n/app');
    issued.apply(makeRecord({ id: idOf(1) }));
    expect(live.of(client).count(at(0))).toBe(1);
  });
});

test('many records are counted over several turns of the event loop, and what changes meanwhile is counted once', () => {
  const { issued, live, finish } = openLive();
  const records = Array.from({ length: 10_000 }, (_, n) => ({ id: idOf(n), expiresAt: 50 + (n % 100) }));
  for (const traits of records) issued.apply(makeRecord(traits));
  const tally = live.of(client);
  expect(tally.count(at(0))).toBeGreaterThan(1000);
  expect(tally.count(at(0))).toBeLessThan(10_000);
  // One that is counted already, and one that is not; one comes; and all of one second expire.
  for (const n of [0, 9_999]) {
    issued.apply(
      makeRecord({ id: idOf(n), expiresAt: 50 + (n % 100), blacklistedAt: 1, resourceVersion: '2' }),
    );
  }
  issued.remove(makeRecord({ id: idOf(9_998), expiresAt: 148, resourceVersion: '2' }));
  issued.apply(makeRecord({ id: idOf(20_000), expiresAt: 200 }));
  tally.count(at(51));
  expect(finish()).toBeGreaterThan(1);
  const own = [...issued.values()];
  for (const seconds of [51, 60, 148, 149, 150, 200]) {
    expect(tally.count(at(seconds))).toBe(own.filter((each) => isLive(each, at(seconds))).length);
  }
});

test('counting ends when the client is forgotten', () => {
  const { issued, live, finish } = openLive();
  for (let n = 0; n < 10_000; n += 1) issued.apply(makeRecord({ id: idOf(n) }));
  const tally = live.of(client);
  live.forget('n/app');
  expect(finish()).toBe(1);
  expect(tally.count(at(0))).toBeLessThan(10_000);
});

test.each<[string, number[], number]>([
  ['none expires', [], 60],
  ['the next expires within a minute', [70, 17, 40], 17],
  ['the next expires later', [3600], 60],
])('where %s, a retry may succeed then', (_name, expirations, expected) => {
  const tally = new LiveTally('uid');
  for (const seconds of expirations)
    tally.add({ keyID: 'k', expiration: BEGIN + seconds, blacklistedAt: undefined }, 1);
  expect(tally.secondsUntilExpiry(at(0))).toBe(expected);
});

const event = fc.record({
  id: fc.nat(6).map(idOf),
  expiresAt: fc.option(fc.nat(100), { nil: undefined }),
  blacklistedAt: fc.option(fc.constant(1), { nil: undefined }),
  clientUID: fc.constantFrom(CLIENT_UID, CLIENT_UID, 'gone'),
  isGone: fc.boolean(),
  passes: fc.oneof(fc.constant(0), fc.nat(3), fc.nat(1000)),
});

test('whatever comes, changes and goes while time passes, the count is that of the live records in the cache', () => {
  fc.assert(
    fc.property(fc.array(event, { maxLength: 40 }), fc.nat(40), (events, askedAfter) => {
      const { issued, live } = openLive();
      let now = 0;
      for (const [version, { isGone, passes, ...traits }] of events.entries()) {
        const record = makeRecord({ ...traits, resourceVersion: String(version + 1) });
        if (isGone) issued.remove(record);
        else issued.apply(record);
        now += passes;
        if (version < askedAfter) continue;
        const own = [...issued.values()].filter(({ clientUID }) => clientUID === CLIENT_UID);
        expect(live.of(client).count(at(now))).toBe(own.filter((each) => isLive(each, at(now))).length);
      }
    }),
  );
});
