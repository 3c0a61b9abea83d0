import { afterEach, describe, expect, jest, test } from '@jest/globals';
import { sleep } from '../../../operator/async/sleep.ts';
import { ApiError } from '../../../operator/ports/kube.ts';
import type {
  ListOptions,
  ListPage,
  ListWatch,
  WatchEvent,
  WatchOptions,
} from '../../../operator/ports/watch.ts';
import { ObjectStore } from '../../../operator/runtime/object-store.ts';
import { Reflector, type ReflectorOptions } from '../../../operator/runtime/reflector.ts';
import { Rewinds } from '../../../operator/runtime/rewinds.ts';
import { FakeClock, settle } from '../../support/fake-clock.ts';
import { recordedLog, recordedMetrics } from '../../support/quiet.ts';

interface Thing {
  readonly metadata: {
    readonly name: string;
    readonly namespace: string;
    readonly uid: string;
    readonly resourceVersion: string;
    readonly creationTimestamp: string;
  };
}

const thing = (name: string, rv: number): Thing => ({
  metadata: { name, namespace: 'n', uid: name, resourceVersion: `${rv}`, creationTimestamp: '' },
});

const added = (name: string, rv: number): WatchEvent<Thing> => ({
  type: 'ADDED',
  object: thing(name, rv),
  resourceVersion: `${rv}`,
});
const bookmark = (rv: number, initialEventsEnd = false): WatchEvent<Thing> => ({
  type: 'BOOKMARK',
  resourceVersion: `${rv}`,
  initialEventsEnd,
});

/** One watch: batches, then an error, an end, or silence. */
interface Stream {
  readonly batches?: readonly (readonly WatchEvent<Thing>[])[];
  /** Between two batches. */
  readonly everyMs?: number;
  readonly ends?: 'end' | 'silence' | ApiError;
}

const rejected = new ApiError('forbidden', { status: 422, reason: 'Invalid' });
const gone = new ApiError('too old', { status: 410, reason: 'Expired' });
const broken = new ApiError('cut', { status: 0, reason: 'Unreachable' });

const stop = { current: new AbortController() };
afterEach(() => stop.current.abort());

/** A reflector over scripted streams; the last of them is followed by silence. */
const run = (
  streams: readonly (Stream | ApiError)[],
  pages: readonly ListPage<Thing>[] = [],
  { version = () => '1000', ...more }: Partial<ReflectorOptions<Thing>> & { version?: () => string } = {},
) => {
  stop.current = new AbortController();
  const clock = new FakeClock();
  const [log, metrics] = [recordedLog(), recordedMetrics()];
  const store = new ObjectStore<Thing>({ log });
  const watches: WatchOptions[] = [];
  const rewinds = new Rewinds(log);
  /** When the API server was asked where it is. */
  const asked: number[] = [];
  const lists: ListOptions[] = [];
  const until = (signal: AbortSignal) =>
    new Promise<never>((_resolve, reject) => {
      const abort = () => reject(new ApiError('aborted', { status: 0, reason: 'Aborted' }));
      if (signal.aborted) abort();
      signal.addEventListener('abort', abort);
    });
  const source: ListWatch<Thing> = {
    resource: 'things',
    contact: {
      get lastAnswerAt() {
        return clock.now();
      },
      arePinged: true,
    },
    currentVersion: async () => {
      asked.push(clock.now());
      return version();
    },
    list: async (options) => {
      lists.push(options);
      const page = pages[lists.length - 1];
      if (!page) throw broken;
      return page;
    },
    watch: async (options) => {
      watches.push(options);
      const stream = streams[watches.length - 1] ?? {};
      if (stream instanceof ApiError) throw stream;
      return (async function* () {
        for (const [at, batch] of (stream.batches ?? []).entries()) {
          if (at > 0 && stream.everyMs !== undefined) await sleep(clock, stream.everyMs, options.signal);
          yield batch;
        }
        if (stream.ends instanceof ApiError) throw stream.ends;
        if (stream.ends !== 'end') await until(options.signal);
      })();
    },
  };
  const reflector = new Reflector({
    source,
    store,
    inScope: () => true,
    clock,
    random: () => 0.5,
    log,
    metrics,
    rewinds,
    ...more,
  });
  const ended = reflector.run(stop.current.signal);
  const restarts = () => metrics.calls.map((call) => call[2]);
  return { clock, log, store, watches, lists, reflector, rewinds, asked, restarts, ended };
};

const first: Stream = { batches: [[added('a', 1), added('b', 2), bookmark(2, true)]] };

describe('a reflector', () => {
  test('asks for initial events, and is synced at their bookmark and not before', async () => {
    const half = run([{ batches: [[added('a', 1)]] }]);
    await settle();
    expect(half.reflector.synced).toBe(false);
    stop.current.abort();
    const whole = run([first]);
    await settle();
    expect(whole.reflector.synced).toBe(true);
    expect(whole.watches[0]).toMatchObject({ resourceVersion: '', initialEvents: true });
  });

  test('resumes after a cut where it was, by event or bookmark, without a list', async () => {
    const { clock, watches, lists } = run([
      { ...first, ends: broken },
      { batches: [[added('c', 7)]], ends: broken },
      { batches: [[bookmark(9)]], ends: 'end' },
    ]);
    await clock.advance(1_000);
    expect(watches.map(({ resourceVersion }) => resourceVersion)).toEqual(['', '2', '7', '9']);
    expect(watches.map(({ initialEvents }) => initialEvents)).toEqual([true, false, false, false]);
    expect(lists).toEqual([]);
  });

  test('goes on after an event that is too large to be read, and resumes after what came next', async () => {
    const { clock, store, watches, restarts, log } = run([
      { batches: [[added('a', 1), { type: 'TOO_LARGE' }, added('b', 2), bookmark(2, true)]], ends: 'end' },
      { batches: [[{ type: 'TOO_LARGE' }, added('c', 7)]], ends: 'end' },
    ]);
    await clock.advance(1_000);
    expect([...store.keys()]).toEqual(['n/a', 'n/b', 'n/c']);
    expect(watches.map(({ resourceVersion }) => resourceVersion)).toEqual(['', '2', '7']);
    expect(restarts()).toEqual(['closed', 'closed']);
    expect(log.lines.filter(({ level }) => level === 'warn')).toHaveLength(2);
  });

  test('begins again when the initial events were cut off in their middle', async () => {
    const { clock, watches, reflector } = run([{ batches: [[added('a', 1)]], ends: broken }, first]);
    await clock.advance(1_000);
    expect(watches.map(({ initialEvents }) => initialEvents)).toEqual([true, true]);
    expect(reflector.synced).toBe(true);
  });

  test.each([
    ['in the stream', { ends: gone }],
    ['instead of a stream', gone],
  ])('lists again on a 410 %s, and drops what is no longer there', async (_name, expired) => {
    const second: Stream = { batches: [[added('b', 2), added('c', 9), bookmark(9, true)]] };
    const { clock, store, watches, restarts } = run([{ ...first, ends: 'end' }, expired, second]);
    await clock.advance(1_000);
    expect(watches.map(({ initialEvents }) => initialEvents)).toEqual([true, false, true]);
    expect([...store.keys()].sort()).toEqual(['n/b', 'n/c']);
    expect(restarts()).toEqual(['closed', 'expired']);
  });

  test.each<[string, readonly (Stream | ApiError)[], boolean]>([
    ['a watch that resumes misses no deletion', [{ batches: [[bookmark(9)]] }], false],
    ['a new list hides what came and went before it', [gone, first], true],
  ])('dates its last list: %s', async (_name, later, isLater) => {
    const { clock, reflector } = run([first, ...later]);
    const start = clock.now();
    expect(reflector.lastListed).toBeUndefined();
    await settle();
    expect(reflector.lastListed).toBe(start);
    // The silent stream is ended after 90 s.
    await clock.advance(100_000);
    if (isLater) expect(reflector.lastListed).toBeGreaterThanOrEqual(start + 90_000);
    else expect(reflector.lastListed).toBe(start);
  });

  test('has come as far as its last event or list, and not through the events of a list', async () => {
    const isReached = async (batches: readonly (readonly WatchEvent<Thing>[])[], version: string) => {
      const { reflector } = run([{ batches }]);
      let reached = false;
      void reflector.reached(version, stop.current.signal).then(
        () => {
          reached = true;
        },
        () => undefined,
      );
      await settle();
      stop.current.abort();
      return reached;
    };
    expect(await isReached([[added('a', 7)]], '7')).toBe(false);
    expect(await isReached([[added('a', 7), bookmark(8, true)]], '8')).toBe(true);
    expect(await isReached([[bookmark(8, true), added('b', 9)]], '9')).toBe(true);
    expect(await isReached([[bookmark(8, true), bookmark(9)]], '9')).toBe(true);
    expect(await isReached([[bookmark(8, true), bookmark(9)]], '10')).toBe(false);
  });

  test('falls back to pages where the server rejects initial events, and never asks again', async () => {
    const page = (name: string, rv: string, continueToken?: string): ListPage<Thing> => ({
      resourceVersion: rv,
      continueToken,
      items: [thing(name, 1)],
    });
    const { clock, store, lists, watches } = run(
      [rejected, { ends: gone }, {}],
      [page('a', '5', 'next'), page('b', '5'), page('c', '8')],
    );
    await clock.advance(1_000);
    expect(lists.map(({ limit, continueToken }) => [limit, continueToken])).toEqual([
      [500, undefined],
      [500, 'next'],
      [500, undefined],
    ]);
    expect(watches.map(({ resourceVersion }) => resourceVersion)).toEqual(['', '5', '8']);
    expect([...store.keys()]).toEqual(['n/c']);
  });

  test('gives up a stream that is silent for 90 s, and no sooner', async () => {
    const { clock, watches, restarts } = run([first]);
    await clock.advance(89_999);
    expect(watches).toHaveLength(1);
    await clock.advance(200);
    expect(watches).toHaveLength(2);
    expect(restarts()).toEqual(['stalled']);
  });

  test('lists by pages where initial events come to no end', async () => {
    const { clock, lists } = run([{ batches: [[added('a', 1)]] }]);
    await clock.advance(91_000);
    expect(lists.length).toBeGreaterThan(0);
  });

  test('lists by initial events again once a list by pages is whole', async () => {
    const page: ListPage<Thing> = { resourceVersion: '5', continueToken: undefined, items: [thing('a', 1)] };
    const again: Stream = { batches: [[added('b', 9), bookmark(9, true)]] };
    const { clock, store, lists, watches } = run([{}, gone, again], [page]);
    await clock.advance(92_000);
    expect(lists).toHaveLength(1);
    expect(watches.map(({ initialEvents }) => initialEvents)).toEqual([true, false, true]);
    expect([...store.keys()]).toEqual(['n/b']);
  });

  test('backs off from failure to failure, up to ten seconds, and starts anew after a successful stream', async () => {
    const { clock, watches } = run(
      [first, ...Array.from({ length: 12 }, () => broken)].map((one, at) =>
        at === 0 ? { ...first, ends: broken } : one,
      ),
    );
    const waits: number[] = [];
    while (watches.length < 12) {
      await settle();
      waits.push(clock.untilNext ?? 0);
      await clock.advance(clock.untilNext ?? 0);
    }
    expect(waits.slice(0, 4)).toEqual([50, 100, 200, 400]);
    expect(Math.max(...waits)).toBe(5_000);
  });

  test('after an outage with a 410 at its end, lists again at once', async () => {
    const outage = Array.from({ length: 8 }, () => broken);
    const { clock, watches } = run([{ ...first, ends: broken }, ...outage, gone]);
    await settle();
    const untilGone = 1 + outage.length + 1;
    while (watches.length < untilGone) await clock.advance(clock.untilNext ?? 0);
    await clock.advance(49);
    expect(watches.length).toBe(untilGone);
    await clock.advance(1);
    expect(watches.length).toBe(untilGone + 1);
    expect(watches.at(-1)?.initialEvents).toBe(true);
  });

  test('backs off from lists that end in a 410 again and again', async () => {
    const { clock, watches } = run([gone, gone, gone, gone, gone]);
    await settle();
    await clock.advance(50 + 100 + 200);
    expect(watches.length).toBe(4);
    await clock.advance(399);
    expect(watches.length).toBe(4);
    await clock.advance(1);
    expect(watches.length).toBe(5);
  });

  test('backs off from initial events that break in their middle again and again', async () => {
    const { clock, watches } = run(
      Array.from({ length: 6 }, () => ({ batches: [[added('a', 1)]], ends: broken })),
    );
    const waits: number[] = [];
    while (watches.length < 5) {
      await settle();
      waits.push(clock.untilNext ?? 0);
      await clock.advance(clock.untilNext ?? 0);
    }
    expect(waits).toEqual([50, 100, 200, 400]);
  });

  test('waits as long as the API server asks', async () => {
    const busy = new ApiError('busy', { status: 429, reason: 'TooManyRequests', retryAfterMs: 4_000 });
    const { clock, watches } = run([busy, first]);
    await clock.advance(3_999);
    expect(watches).toHaveLength(1);
    await clock.advance(1);
    expect(watches).toHaveLength(2);
  });

  test('asks the API server to end a watch within five to ten minutes', async () => {
    const { watches } = run([first]);
    await settle();
    expect(watches[0]?.timeoutSeconds).toBe(450);
  });

  test('takes a watch that the server ended for no failure', async () => {
    const { clock, log, watches } = run([{ ...first, ends: 'end' }, {}]);
    await settle();
    await clock.advance(0);
    expect(watches).toHaveLength(2);
    expect(log.lines).toEqual([]);
  });

  test('applies no page that comes in the turn in which it is stopped', async () => {
    const pages = {
      get 0(): ListPage<Thing> {
        stop.current.abort();
        return { resourceVersion: '5', continueToken: undefined, items: [thing('a', 1)] };
      },
    };
    const { clock, store, reflector, ended } = run([rejected], pages as never);
    await clock.advance(1_000);
    await ended;
    expect([...store.keys()]).toEqual([]);
    expect(reflector.synced).toBe(false);
  });

  test('ends when it is stopped, and applies nothing afterwards', async () => {
    const { reflector, ended, clock } = run([first]);
    await settle();
    stop.current.abort();
    await ended;
    expect(reflector.alive).toBe(false);
    expect(clock.pending).toBe(0);
  });
});

const forbidden = new ApiError('no role', { status: 403, reason: 'Forbidden' });

describe('a scope that the API server denies', () => {
  const denials = Array.from({ length: 12 }, () => forbidden);
  const accessOf = (isGone = false) => {
    const seen: string[] = [];
    const access = {
      denied: () => void seen.push('denied'),
      permitted: () => void seen.push('permitted'),
      isGone: () => isGone,
    };
    return { seen, more: { access, onSettled: () => void seen.push('settled') } };
  };

  test('counts as denied after 5 s of 403, and no sooner', async () => {
    const { seen, more } = accessOf();
    const { clock, reflector } = run(denials, [], more);
    await clock.advance(4_999);
    expect([seen, reflector.isDenied]).toEqual([[], false]);
    await clock.advance(1);
    expect([seen, reflector.isDenied]).toEqual([['denied', 'settled'], true]);
  });

  test('is listed anew when it is permitted again, at most 10 s later', async () => {
    const { seen, more } = accessOf();
    const { clock, store, watches, reflector } = run(
      [{ ...first, ends: broken }, ...denials, { batches: [[added('b', 9), bookmark(9, true)]] }],
      [],
      more,
    );
    await settle();
    while (watches.length < denials.length + 1) await clock.advance(clock.untilNext ?? 0);
    expect([seen, reflector.isDenied]).toEqual([['settled', 'denied', 'settled'], true]);
    await clock.advance(10_000);
    expect([seen, reflector.isDenied]).toEqual([
      ['settled', 'denied', 'settled', 'permitted', 'settled'],
      false,
    ]);
    expect(watches.at(-1)).toMatchObject({ resourceVersion: '', initialEvents: true });
    expect([...store.keys()]).toEqual(['n/b']);
  });

  test.each([
    ['keeps its objects while its namespace exists', false, ['n/a', 'n/b']],
    ['loses them when its namespace is gone', true, []],
  ])('%s', async (_name, isGone, expected) => {
    const { clock, store, reflector } = run(
      [{ ...first, ends: broken }, ...denials],
      [],
      accessOf(isGone).more,
    );
    await clock.advance(20_000);
    expect([...store.keys()]).toEqual(expected);
    expect(reflector.isGone).toBe(isGone);
  });

  test('loses its objects once, also those that half a list brought since', async () => {
    const half: Stream = { batches: [[added('c', 9)]], ends: broken };
    const { clock, store } = run(
      [{ ...first, ends: broken }, ...denials, half, ...denials],
      [],
      accessOf(true).more,
    );
    const drop = jest.spyOn(store, 'drop');
    await clock.advance(40_000);
    expect(drop).toHaveBeenCalledTimes(1);
    await clock.advance(100_000);
    expect(drop).toHaveBeenCalledTimes(2);
    expect([...store.keys()]).toEqual([]);
  });

  test('loses its objects when its namespace goes after it was denied', async () => {
    let isGone = false;
    const access = { denied: () => undefined, permitted: () => undefined, isGone: () => isGone };
    const { clock, store } = run([{ ...first, ends: broken }, ...denials], [], { access });
    await clock.advance(15_000);
    expect(store.size).toBe(2);
    isGone = true;
    await clock.advance(10_000);
    expect(store.size).toBe(0);
  });

  test('is not denied by 403s with other answers between them', async () => {
    const { seen, more } = accessOf();
    const { clock } = run([forbidden, forbidden, forbidden, broken, forbidden, first], [], more);
    await clock.advance(20_000);
    expect(seen).toEqual(['settled']);
  });

  test('that is required is tried again, and never counts as denied', async () => {
    const { clock, reflector } = run(denials);
    await clock.advance(30_000);
    expect([reflector.isDenied, reflector.synced]).toEqual([false, false]);
    expect(reflector.lastAnswered).toBeGreaterThan(0);
  });
});

describe('an API server that was put back to an earlier state', () => {
  const later: Stream = { batches: [[added('a', 1), added('b', 90), bookmark(90, true)]] };
  const restored: Stream = { batches: [[added('a', 1), bookmark(40, true)]] };
  const tooLarge = new ApiError('too large', { status: 504, reason: 'ResourceVersionTooLarge' });
  const confirms = { advanceWatchCacheAfterMs: 30_000 };

  test.each<[string, readonly (Stream | ApiError)[], string]>([
    ['a bookmark', [{ batches: [[bookmark(41)]] }], '1000'],
    ['an event', [{ batches: [[added('c', 41)]] }], '1000'],
    ['the answer to where it is, as a watch resumes, which is silent', [{}], '41'],
    ['the rejection of a resourceVersion that is too large', [tooLarge], '1000'],
  ])('is found by %s, and listed at once', async (_name, next, version) => {
    const { clock, store, watches, reflector, log } = run(
      [{ ...later, ends: broken }, ...next, restored],
      [],
      { ...confirms, version: () => version },
    );
    await clock.advance(1_000);
    expect(watches.map(({ resourceVersion }) => resourceVersion)).toEqual(['', '90', '']);
    expect([...store.keys()]).toEqual(['n/a']);
    expect(reflector.lastContact).toBe(clock.now());
    expect(log.lines.filter(({ level }) => level === 'warn').map(({ message }) => message)).toEqual([
      'the API server is at an earlier state than before: everything is listed again',
    ]);
  });

  test('is found by a list that a 410 asked for, whose resourceVersion was raised', async () => {
    const raised: Stream = { batches: [[added('a', 1), added('b', 12), bookmark(5000, true)]] };
    const { clock, store, watches, log } = run([{ ...later, ends: broken }, gone, raised]);
    await clock.advance(1_000);
    expect(store.get('n/b')?.metadata.resourceVersion).toBe('12');
    expect(log.lines.filter(({ level }) => level === 'warn')).toHaveLength(1);
    // It has listed the present state: once is enough.
    expect(watches).toHaveLength(3);
  });

  test('that another watch found is listed at once, in the middle of a backoff too', async () => {
    const outage = Array.from({ length: 8 }, () => broken);
    const { clock, store, watches, rewinds, restarts } = run([
      { ...later, ends: broken },
      ...outage,
      restored,
    ]);
    await settle();
    while (watches.length < 9) await clock.advance(clock.untilNext ?? 0);
    rewinds.found({ resource: 'others', knownVersion: '9', foundVersion: '4' });
    await clock.advance(0);
    expect(watches.at(-1)).toMatchObject({ resourceVersion: '', initialEvents: true });
    expect([...store.keys()]).toEqual(['n/a']);
    rewinds.found({ resource: 'others', knownVersion: '9', foundVersion: '4' });
    await clock.advance(100);
    expect(restarts().at(-1)).toBe('rewound');
    expect(watches.at(-1)?.resourceVersion).toBe('');
  });

  const found = { resource: 'others', knownVersion: '9', foundVersion: '4' };
  const listsOf = (watches: readonly WatchOptions[]) => watches.filter(({ initialEvents }) => initialEvents);

  test('again and again is listed at once, then less and less often', async () => {
    const { clock, watches, rewinds } = run(Array.from({ length: 400 }, () => first));
    await settle();
    const start = clock.now();
    const at: number[] = [];
    while (clock.now() - start < 120_000) {
      const before = listsOf(watches).length;
      rewinds.found(found);
      await clock.advance(100);
      if (listsOf(watches).length > before) at.push(Math.floor((clock.now() - start) / 1_000));
    }
    // After waits of 0, 1.5, 3, 6, 12 and 22.5 s.
    expect(at).toEqual([0, 1, 4, 10, 22, 45, 67, 90, 112]);
  });

  test('again after more than a minute is listed at once', async () => {
    const { clock, watches, rewinds } = run([first, first, first, first]);
    await settle();
    for (const count of [2, 3, 4]) {
      rewinds.found(found);
      await clock.advance(0);
      expect(listsOf(watches)).toHaveLength(count);
      await clock.advance(60_001);
    }
  });

  test('that is found while a wait for the next list runs does not end it, and a stop does', async () => {
    const { clock, watches, rewinds, ended } = run(Array.from({ length: 9 }, () => first));
    await settle();
    rewinds.found(found);
    await clock.advance(10);
    rewinds.found(found);
    await clock.advance(10);
    rewinds.found(found);
    await clock.advance(900);
    expect(listsOf(watches)).toHaveLength(2);
    stop.current.abort();
    await ended;
    expect(clock.pending).toBe(0);
  });

  test('is not trusted until the list is complete', async () => {
    const half: Stream = { batches: [[added('a', 1)]] };
    const { clock, reflector, rewinds } = run([later, half]);
    await settle();
    expect(reflector.lastContact).toBe(clock.now());
    rewinds.found({ resource: 'others', knownVersion: '9', foundVersion: '4' });
    await clock.advance(100);
    expect([reflector.synced, reflector.lastContact]).toEqual([true, 0]);
  });
});

describe('a cache that is listed again', () => {
  const before: Stream = { batches: [[added('a', 1), added('b', 90), bookmark(90, true)]] };
  const slowly: Stream = {
    batches: [[added('a', 1)], [added('c', 12)], [bookmark(5000, true)]],
    everyMs: 20_000,
  };
  const tooLarge = new ApiError('too large', { status: 504, reason: 'ResourceVersionTooLarge' });

  test.each([
    ['a 410', gone],
    ['a resourceVersion that is too large', tooLarge],
  ])('after %s is not in contact until the whole list is in, but makes progress', async (_name, failure) => {
    const { clock, store, reflector } = run([{ ...before, ends: broken }, failure, slowly]);
    await settle();
    const brokeAt = clock.now();
    await clock.advance(30_000);
    expect([...store.keys()]).toEqual(['n/a', 'n/b', 'n/c']);
    expect([reflector.synced, reflector.lastContact]).toEqual([true, brokeAt]);
    expect(reflector.lastAnswered).toBeGreaterThan(brokeAt + 10_000);
    await clock.advance(15_000);
    expect([...store.keys()]).toEqual(['n/a', 'n/c']);
    expect(reflector.lastContact).toBe(clock.now());
  });

  test('is not in contact between two lists that break in their middle', async () => {
    const half: Stream = { batches: [[added('a', 1)]], ends: broken };
    const { clock, reflector } = run([
      { ...before, ends: broken },
      gone,
      ...Array.from({ length: 9 }, () => half),
    ]);
    await settle();
    const brokeAt = clock.now();
    await clock.advance(12_000);
    expect(reflector.lastContact).toBe(brokeAt);
  });

  test('by pages is not in contact until the last of them is in', async () => {
    const page = (at: number, continueToken?: string): ListPage<Thing> => ({
      resourceVersion: '9',
      continueToken,
      items: [thing(`p${at}`, at)],
    });
    const { clock, reflector } = run([rejected, { ends: broken }, gone], [page(1), page(2, 'next')]);
    await settle();
    await clock.advance(1_000);
    const listedAt = clock.now();
    await clock.advance(60_000);
    expect(reflector.lastContact).toBeLessThanOrEqual(listedAt);
  });

  test('for the first time is in contact with each batch, and not synced', async () => {
    const { clock, reflector } = run([slowly]);
    await settle();
    const start = clock.now();
    await clock.advance(30_000);
    expect([reflector.synced, reflector.lastContact]).toEqual([false, start + 20_000]);
  });
});

describe('a watch that resumes', () => {
  test('is in contact once the API server is known to have come as far', async () => {
    let version = (): string => {
      throw broken;
    };
    const { clock, reflector, asked } = run([{ ...first, ends: broken }, {}], [], {
      advanceWatchCacheAfterMs: 30_000,
      version: () => version(),
    });
    await settle();
    const brokeAt = clock.now();
    await clock.advance(4_000);
    expect(reflector.lastContact).toBe(brokeAt);
    expect(asked.length).toBeGreaterThan(2);
    version = () => '2';
    await clock.advance(1_000);
    expect(reflector.lastContact).toBe(clock.now());
    const { length } = asked;
    await clock.advance(10_000);
    expect(asked).toHaveLength(length);
  });

  test('is in contact with the next event, whatever else is not answered', async () => {
    const { clock, reflector } = run([{ ...first, ends: broken }, { batches: [[bookmark(3)]] }], [], {
      advanceWatchCacheAfterMs: 30_000,
      version: () => {
        throw broken;
      },
    });
    await clock.advance(5_000);
    expect(reflector.lastContact).toBe(clock.now());
  });

  test('is not in contact while every try fails, though the connection answers', async () => {
    const { clock, reflector } = run([
      { ...first, ends: broken },
      ...Array.from({ length: 20 }, () => broken),
    ]);
    await settle();
    const brokeAt = clock.now();
    await clock.advance(15_000);
    expect(reflector.lastContact).toBe(brokeAt);
  });
});
