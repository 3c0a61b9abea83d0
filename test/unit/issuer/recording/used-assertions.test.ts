import { beforeEach, describe, expect, test } from '@jest/globals';
import { Emitter } from '../../../../operator/async/emitter.ts';
import type { CachedIssuedToken } from '../../../../operator/domain/record/cached-issued-token.ts';
import { MAX_DELETIONS, watchUsedAssertions } from '../../../../operator/issuer/recording/used-assertions.ts';
import { FakeClock } from '../../../support/fake-clock.ts';
import {
  BEGIN,
  DERIVED_ID,
  makeRecord,
  RANDOM_ID,
  type RecordTraits,
} from '../../domain/record/issued-token-fixtures.ts';

const never = new AbortController().signal;
const MINUTE = 60_000;

let clock: FakeClock;
let cached: Map<string, CachedIssuedToken>;
let completeSince: number | undefined;
let isFresh: boolean;
let skewSeconds: number;
let reached: (signal: AbortSignal) => Promise<void>;
let deletions: Emitter<CachedIssuedToken>;

beforeEach(() => {
  clock = new FakeClock(BEGIN * 1000);
  cached = new Map();
  completeSince = BEGIN * 1000 - MINUTE;
  isFresh = true;
  skewSeconds = 0;
  reached = () => Promise.resolve();
  deletions = new Emitter((error) => {
    throw error;
  });
});

const watch = () =>
  watchUsedAssertions({
    issued: { get: (key) => cached.get(key) },
    coverage: {
      completeSince: () => completeSince,
      onDeleted: (handler) => deletions.on(handler),
      reached: (_object, signal) => reached(signal),
    },
    isFresh: () => isFresh,
    skewSeconds: () => skewSeconds,
    clock,
  });

/** A use of the assertion from which {@link DERIVED_ID} is derived, seconds after {@link BEGIN}. */
const useAt = (seconds = 0, name = DERIVED_ID) => ({ namespace: 'n', name, earliestUse: BEGIN + seconds });
const derived = (traits: RecordTraits = {}) => makeRecord({ id: DERIVED_ID, ...traits });
const idOf = (count: number): string => `${DERIVED_ID.slice(0, 24)}${String(count).padStart(12, '0')}`;

describe('an assertion', () => {
  test('that nothing is known of may be used', () => {
    expect(watch().findProblem(useAt())).toBeUndefined();
  });

  test('whose record is in the cache was used, though the cache is stale', () => {
    cached.set(`n/${DERIVED_ID}`, derived());
    isFresh = false;
    expect(watch().findProblem(useAt())).toBe('AssertionUsed');
  });

  test.each<[string, { since: number | undefined; fresh: boolean }]>([
    ['the records are not listed yet', { since: undefined, fresh: true }],
    ['their watch is stale', { since: 0, fresh: false }],
  ])('is not accepted while %s', (_name, { since, fresh }) => {
    completeSince = since;
    isFresh = fresh;
    expect(() => watch().findProblem(useAt())).toThrow('not known now');
  });

  test.each<[string, { since?: number; skew?: number; at: number }, string | undefined]>([
    ['at the moment of the list', { at: 0 }, undefined],
    ['in the second of the list, since its record may be older', { since: 400, at: 0 }, 'AssertionTooOld'],
    ['after that second', { since: 400, at: 1 }, undefined],
    ['before the list', { at: -1 }, 'AssertionTooOld'],
    ['by the API server’s clock, which is ahead', { skew: -90, at: 89 }, 'AssertionTooOld'],
    ['after the list by either clock', { skew: -90, at: 90 }, undefined],
    ['while this clock is ahead', { skew: 90, at: 0 }, undefined],
  ])('that can first have been used %s', (_name, { since = 0, skew = 0, at }, problem) => {
    completeSince = BEGIN * 1000 + since;
    skewSeconds = skew;
    expect(watch().findProblem(useAt(at))).toBe(problem);
  });
});

describe('the deletion of a record', () => {
  const findAfter = async (traits: RecordTraits, ms = 0) => {
    const used = watch();
    deletions.emit(makeRecord(traits));
    await clock.advance(ms);
    return used.findProblem(useAt(0, traits.id));
  };

  test.each<[string, RecordTraits, number, string | undefined]>([
    ['keeps its assertion from being used', { id: DERIVED_ID }, 0, 'AssertionUsed'],
    ['whose iat is backdated, too', { id: DERIVED_ID, issuedAt: -600 }, 0, 'AssertionUsed'],
    ['for as long as any replica may accept it', { id: DERIVED_ID }, 10 * MINUTE - 1, 'AssertionUsed'],
    ['and no longer', { id: DERIVED_ID }, 10 * MINUTE, undefined],
    [
      'says nothing once the assertion has expired',
      { id: DERIVED_ID, createdAt: -480, issuedAt: -480 },
      0,
      undefined,
    ],
    ['says so until then', { id: DERIVED_ID, createdAt: -479, issuedAt: -479 }, 0, 'AssertionUsed'],
    ['says nothing if no assertion led to it', { id: RANDOM_ID }, 0, undefined],
  ])('%s', async (_name, traits, ms, problem) => {
    expect(await findAfter(traits, ms)).toBe(problem);
  });

  test('is not noticed any more after the end', () => {
    const used = watch();
    used.stop();
    deletions.emit(derived());
    expect(used.findProblem(useAt())).toBeUndefined();
  });

  test('is not forgotten for a clock that is set back or forward', async () => {
    const used = watch();
    deletions.emit(derived());
    for (const ms of [60 * MINUTE, -120 * MINUTE]) {
      clock.step(ms);
      expect(used.findProblem(useAt())).toBe('AssertionUsed');
    }
  });
});

describe('more deletions than are remembered', () => {
  test('make what was signed before too old, and nothing else', async () => {
    const used = watch();
    for (let count = 0; count < MAX_DELETIONS; count++) deletions.emit(derived({ id: idOf(count) }));
    expect(used.findProblem(useAt(0, idOf(0)))).toBe('AssertionUsed');
    expect(used.findProblem(useAt(0))).toBeUndefined();
    await clock.advance(5000);
    deletions.emit(derived({ id: idOf(MAX_DELETIONS) }));
    expect(used.findProblem(useAt(4, idOf(0)))).toBe('AssertionTooOld');
    expect(used.findProblem(useAt(4))).toBe('AssertionTooOld');
    expect(used.findProblem(useAt(5))).toBeUndefined();
    expect(used.findProblem(useAt(5, idOf(MAX_DELETIONS)))).toBe('AssertionUsed');
  });

  test('leave none of those whose assertions have expired in the way', async () => {
    const used = watch();
    const half = MAX_DELETIONS / 2;
    for (let count = 0; count < half; count++) deletions.emit(derived({ id: idOf(count) }));
    await clock.advance(10 * MINUTE);
    const later = { createdAt: 600, issuedAt: 600 };
    for (let count = half; count < 2 * half + 10; count++)
      deletions.emit(derived({ id: idOf(count), ...later }));
    expect(used.findProblem(useAt(0, idOf(half)))).toBe('AssertionUsed');
    expect(used.findProblem(useAt(0))).toBeUndefined();
  });
});

describe('a record that was created', () => {
  test('is confirmed when the watch shows it', async () => {
    const used = watch();
    const { promise, resolve } = Promise.withResolvers<void>();
    reached = () => promise;
    const confirming = used.confirm(useAt(), derived(), never);
    deletions.emit(derived());
    resolve();
    expect(await confirming).toBe('AssertionUsed');
  });

  test('is confirmed if nothing was deleted', async () => {
    expect(await watch().confirm(useAt(), derived(), never)).toBeUndefined();
  });

  test('is not confirmed by a list that may hide a deletion', async () => {
    reached = async () => {
      completeSince = BEGIN * 1000 + 1;
    };
    expect(await watch().confirm(useAt(), derived(), never)).toBe('AssertionTooOld');
  });

  test('is not confirmed if the watch does not show it within 5 s', async () => {
    reached = (signal) =>
      new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
    const failed = watch()
      .confirm(useAt(), derived(), never)
      .catch(({ code }: { code: string }) => code);
    await clock.advance(5000);
    expect(await failed).toBe('Unavailable');
  });
});
