import { expect, test } from '@jest/globals';
import type { CachedIssuedToken } from '../../../../operator/domain/record/cached-issued-token.ts';
import { warnOfRestoredRecords } from '../../../../operator/issuer/registry/restored-records.ts';
import { ObjectStore } from '../../../../operator/runtime/object-store.ts';
import { FakeClock } from '../../../support/fake-clock.ts';
import { recordedLog } from '../../../support/quiet.ts';
import { makeRecord } from '../../domain/record/issued-token-fixtures.ts';

const idOf = (count: number): string => `5b2f0f0e-8f0a-4d53-9c1a-${String(count).padStart(12, '0')}`;

test('records that were created again are logged, once a minute at most, and others are not', () => {
  const clock = new FakeClock();
  const log = recordedLog();
  const cache = new ObjectStore<CachedIssuedToken>({ log });
  const watched = {
    kind: 'IssuedToken',
    cache,
    isRestored: (record: CachedIssuedToken) => record.isRestored === true,
  };
  const end = warnOfRestoredRecords(watched, { clock, log });
  const put = (count: number, createdAt: number) =>
    cache.putIfNewer(makeRecord({ id: idOf(count), createdAt }));
  put(1, 0);
  expect(log.lines).toEqual([]);
  for (const count of [2, 3, 4]) put(count, 3600);
  expect(log.lines).toMatchObject([
    { level: 'warn', fields: { kind: 'IssuedToken', namespace: 'n', name: idOf(2) } },
  ]);
  clock.freeze(60_000);
  put(5, 3600);
  expect(log.lines).toHaveLength(2);
  end();
  clock.freeze(60_000);
  put(6, 3600);
  expect(log.lines).toHaveLength(2);
});
