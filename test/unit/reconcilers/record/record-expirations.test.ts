import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import {
  type CachedIssuedToken,
  ISSUED_INDEXERS,
} from '../../../../operator/domain/record/cached-issued-token.ts';
import type { CachedTokenBatch } from '../../../../operator/domain/record/cached-token-batch.ts';
import { RecordExpirations } from '../../../../operator/reconcilers/record/record-expirations.ts';
import { ObjectStore } from '../../../../operator/runtime/object-store.ts';
import { recordedLog } from '../../../support/quiet.ts';
import { BEGIN, makeRecord, type RecordTraits } from '../../domain/record/issued-token-fixtures.ts';

const idOf = (n: number): string => `5b2f0f0e-8f0a-4d53-9c1a-${String(n).padStart(12, '0')}`;
const storeOf = (...records: readonly RecordTraits[]) => {
  const store = new ObjectStore<CachedIssuedToken>({ log: recordedLog(), indexers: ISSUED_INDEXERS });
  for (const [n, traits] of records.entries()) store.apply(makeRecord({ id: idOf(n), ...traits }));
  return store;
};

const following = (issued: ObjectStore<CachedIssuedToken>) =>
  new RecordExpirations({ issued, batches: new ObjectStore<CachedTokenBatch>({ log: recordedLog() }) });

/** Seconds since {@link BEGIN}, `never`, or undefined where no token expires after that. */
const lastOf = (expirations: RecordExpirations, kid = 'k', start = 0): number | 'never' | undefined => {
  const last = expirations.lastOf(kid, BEGIN + start);
  if (last === 'never') return last;
  return last === BEGIN + start ? undefined : last - BEGIN;
};

test.each<[string, RecordTraits[], number | 'never' | undefined]>([
  ['no token has', [], undefined],
  ['several tokens have: the last one', [{ expiresAt: 60 }, { expiresAt: 90 }, { expiresAt: 30 }], 90],
  ['a token without expiration has: never', [{ expiresAt: 60 }, {}], 'never'],
  ['blacklisted tokens have', [{ blacklistedAt: 1 }, { expiresAt: 90, revoked: true }], undefined],
  ['an expired token has', [{ expiresAt: 0 }], undefined],
  ['a token has, beside one of another key', [{ expiresAt: 60 }, { expiresAt: 90, keyID: 'other' }], 60],
])('a key that %s', (_, records, expected) => {
  const expirations = following(storeOf(...records));
  expirations.connect();
  expect(lastOf(expirations)).toEqual(expected);
});

test('counts what comes, changes and goes, until it is ended', () => {
  const store = storeOf();
  const expirations = following(store);
  const end = expirations.connect();
  store.apply(makeRecord({ id: idOf(1) }));
  store.apply(makeRecord({ id: idOf(2), expiresAt: 60 }));
  expect(lastOf(expirations)).toBe('never');
  store.apply(makeRecord({ id: idOf(1), blacklistedAt: 1, resourceVersion: '2' }));
  expect(lastOf(expirations)).toBe(60);
  store.remove(makeRecord({ id: idOf(2), expiresAt: 60, resourceVersion: '3' }));
  expect(lastOf(expirations)).toBeUndefined();
  end();
  store.apply(makeRecord({ id: idOf(3) }));
  expect(lastOf(expirations)).toBeUndefined();
});

const event = fc.record({
  id: fc.nat(6).map(idOf),
  gone: fc.boolean(),
  expiresAt: fc.option(fc.constantFrom(10, 20, 30), { nil: undefined }),
  keyID: fc.constantFrom('k', 'other'),
  blacklistedAt: fc.option(fc.constant(1), { nil: undefined }),
});

test('whatever happens, it says what a look at every record would', () => {
  fc.assert(
    fc.property(fc.array(event, { maxLength: 40 }), fc.constantFrom(0, 15, 25), (events, start) => {
      const store = storeOf();
      const expirations = following(store);
      expirations.connect();
      for (const [n, { gone, ...traits }] of events.entries()) {
        const record = makeRecord({ ...traits, resourceVersion: String(n + 2) });
        if (gone) store.remove(record);
        else store.apply(record);
      }
      for (const kid of ['k', 'other']) {
        const valid = [...store.values()].filter((r) => r.keyID === kid && r.blacklistedAt === undefined);
        const later = valid.map((r) => r.expiration).filter((at) => at === undefined || at > BEGIN + start);
        const last = later.length === 0 ? undefined : Math.max(...later.map((at) => (at ?? 0) - BEGIN));
        expect(lastOf(expirations, kid, start)).toEqual(later.includes(undefined) ? 'never' : last);
      }
    }),
    { numRuns: 500 },
  );
});

test('of a key that has signed a hundred thousand tokens, no record is looked at', () => {
  const store = storeOf({ expiresAt: 60 });
  const expirations = following(store);
  expirations.connect();
  store.values = () => {
    throw new Error('looked at');
  };
  store.byIndex = store.values;
  expect(lastOf(expirations)).toBe(60);
});
