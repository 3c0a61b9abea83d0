import { afterEach, describe, expect, test } from '@jest/globals';
import { ApiError } from '../../../operator/ports/kube.ts';
import type { ListWatch, WatchEvent } from '../../../operator/ports/watch.ts';
import { Informer } from '../../../operator/runtime/informer.ts';
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

let stop = new AbortController();
afterEach(() => stop.abort());

/** A scope whose watch is denied, or lists one object and is silent then. */
const sourceOf = (namespace: string, isDenied: () => boolean): ListWatch<Thing> => ({
  resource: 'things',
  contact: { lastAnswerAt: 0, arePinged: true },
  currentVersion: async () => '1',
  list: async () => {
    throw new ApiError('not used', { status: 500 });
  },
  watch: async ({ signal }) => {
    if (isDenied()) throw new ApiError('no role', { status: 403, reason: 'Forbidden' });
    return (async function* (): AsyncGenerator<readonly WatchEvent<Thing>[]> {
      const metadata = { name: 'x', namespace, uid: namespace, resourceVersion: '1', creationTimestamp: '' };
      yield [
        { type: 'ADDED', object: { metadata }, resourceVersion: '1' },
        { type: 'BOOKMARK', resourceVersion: '1', initialEventsEnd: true },
      ];
      await new Promise((_resolve, reject) => {
        signal.addEventListener('abort', () => reject(new ApiError('aborted', { status: 0 })));
      });
    })();
  },
});

/** An informer on namespaces that may be denied. */
const watch = async (denied: Record<string, boolean>, gone: readonly string[] = []) => {
  stop = new AbortController();
  const clock = new FakeClock();
  const informer = new Informer<Thing>({
    name: 'things',
    clock,
    random: () => 0.5,
    log: recordedLog(),
    metrics: recordedMetrics(),
    rewinds: new Rewinds(recordedLog()),
    sources: Object.keys(denied).map((namespace) => ({
      namespace,
      listWatch: sourceOf(namespace, () => denied[namespace] === true),
      access: {
        denied: () => undefined,
        permitted: () => undefined,
        isGone: () => gone.includes(namespace),
      },
    })),
  });
  informer.start(stop.signal);
  await settle();
  return { clock, informer };
};

describe('an informer on several namespaces', () => {
  test('is synced without one that is denied, and not before it is known to be', async () => {
    const { clock, informer } = await watch({ a: false, b: true });
    await clock.advance(4_000);
    expect(informer.health.synced).toBe(false);
    await clock.advance(1_000);
    expect(informer.health).toMatchObject({ synced: true, alive: true });
    expect(informer.health.lastProgress).toBeGreaterThan(0);
    await informer.whenSynced(stop.signal);
  });

  test('trusts each namespace by its own watch', async () => {
    const { clock, informer } = await watch({ a: false, b: true });
    await clock.advance(5_000);
    expect([informer.healthIn('a').synced, informer.healthIn('b').synced]).toEqual([true, false]);
    expect(['a', 'b', 'none'].map((name) => informer.isDeniedIn(name))).toEqual([false, true, false]);
    expect([informer.completeSince('a'), informer.completeSince('b')]).toEqual([
      informer.completeSince(),
      undefined,
    ]);
  });

  test.each([
    ['is not, of everything, while one that exists is denied', [], false],
    ['is, of everything, without one that is gone', ['b'], true],
  ])('%s', async (_name, gone, expected) => {
    const { clock, informer } = await watch({ a: false, b: true }, gone);
    await clock.advance(5_000);
    expect(informer.healthOfAll.synced).toBe(expected);
  });

  test('is not synced while all are denied, and is when one is not any more', async () => {
    const denied = { a: true, b: true };
    const { clock, informer } = await watch(denied);
    await clock.advance(30_000);
    expect(informer.health).toMatchObject({ synced: false, alive: true });
    denied.a = false;
    await clock.advance(10_000);
    expect(informer.health.synced).toBe(true);
    denied.b = false;
    await clock.advance(10_000);
    expect([informer.health.synced, informer.cache.size]).toEqual([true, 2]);
  });
});
