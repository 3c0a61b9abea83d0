import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { WorkQueue, type WorkQueueOptions } from '../../../operator/runtime/work-queue.ts';
import { FakeClock, settle } from '../../support/fake-clock.ts';
import { recordedMetrics } from '../../support/quiet.ts';

const never = new AbortController().signal;

type Bounds = Pick<WorkQueueOptions, 'lowConcurrency' | 'namespaceConcurrency'>;

const build = (clock = new FakeClock(), bounds: Bounds = {}) => {
  const metrics = recordedMetrics();
  const queue = new WorkQueue({ name: 'token', clock, random: () => 0.5, metrics, ...bounds });
  queue.start();
  return { clock, metrics, queue };
};

/** The next key if one is due now. */
const take = async (queue: WorkQueue): Promise<string | undefined> => {
  if (queue.depth === 0) return undefined;
  return queue.get(never);
};

const takeAll = async (queue: WorkQueue): Promise<string[]> => {
  const keys: string[] = [];
  for (let key = await take(queue); key !== undefined; key = await take(queue)) keys.push(key);
  return keys;
};

describe('a work queue', () => {
  test('issues a key once however often it was added', async () => {
    const { queue } = build();
    for (let i = 0; i < 5; i++) queue.add('a');
    expect(await takeAll(queue)).toEqual(['a']);
  });

  test('keeps a key that a worker has from other workers until it is done', async () => {
    const { queue } = build();
    queue.add('a');
    await take(queue);
    queue.add('a');
    expect(await takeAll(queue)).toEqual([]);
    queue.done('a');
    expect(await takeAll(queue)).toEqual(['a']);
  });

  test('does not bring back a key that was not added again', async () => {
    const { queue } = build();
    queue.add('a');
    await take(queue);
    queue.done('a');
    expect(queue.depth).toBe(0);
  });

  test('gives a key to the worker that waits for one', async () => {
    const { queue } = build();
    const waiting = queue.get(never);
    queue.add('a');
    expect(await waiting).toBe('a');
  });

  test('lets a fresh urgent key overtake thousands that can wait', async () => {
    const { queue } = build();
    for (let i = 0; i < 5_000; i++) queue.add(`low-${i}`, 'low');
    queue.add('urgent', 'high');
    expect([await take(queue), await take(queue)]).toContain('urgent');
  });

  test('moves a waiting key up when it is added with a higher priority, and delivers it once', async () => {
    const { queue } = build();
    queue.add('a', 'low');
    queue.add('b', 'low');
    queue.add('b', 'high');
    expect(await takeAll(queue)).toEqual(['b', 'a']);
  });

  test('keeps the urgency of a key that was added while a worker had it', async () => {
    const { queue } = build();
    queue.add('a');
    await take(queue);
    queue.add('a', 'low');
    queue.add('a', 'high');
    for (const key of ['b', 'c']) queue.add(key);
    queue.done('a');
    expect((await takeAll(queue))[0]).toBe('a');
  });

  test('does not let keys that can wait starve while urgent ones keep coming', async () => {
    const { queue } = build();
    queue.add('patient', 'low');
    let taken = 0;
    for (let key = ''; key !== 'patient' && taken <= 16; taken++) {
      queue.add(`urgent-${taken}`, 'high');
      key = (await take(queue)) ?? '';
    }
    expect(taken).toBeLessThanOrEqual(16);
  });

  test('gives workers no more keys of low priority at a time than they may have, and all others', async () => {
    const { queue } = build(new FakeClock(), { lowConcurrency: 2 });
    for (const key of ['a', 'b', 'c']) queue.add(key, 'low');
    const got: (string | undefined)[] = [];
    for (let worker = 1; worker <= 4; worker++) void queue.get(never).then((key) => got.push(key));
    await settle();
    expect(got).toEqual(['a', 'b']);
    queue.add('urgent');
    await settle();
    expect(got).toEqual(['a', 'b', 'urgent']);
    queue.done('urgent');
    await settle();
    expect(got).toEqual(['a', 'b', 'urgent']);
    queue.done('b');
    await settle();
    expect(got).toEqual(['a', 'b', 'urgent', 'c']);
    expect(queue.depth).toBe(0);
  });

  test('issues a delayed key at its time and not before', async () => {
    const { queue, clock } = build();
    queue.addAfter('a', 1_000);
    await clock.advance(999);
    expect(queue.depth).toBe(0);
    await clock.advance(1);
    expect(await takeAll(queue)).toEqual(['a']);
  });

  test('lets what has changed, and what is retried, go before keys whose time has come', async () => {
    const { queue, clock } = build();
    queue.addAfter('renewal', 10);
    queue.retry('failed');
    await clock.advance(1_000);
    queue.add('fresh');
    expect([await take(queue), await take(queue), await take(queue)]).toEqual(['failed', 'fresh', 'renewal']);
  });

  test('keeps the earliest of several times', async () => {
    const { queue, clock } = build();
    queue.addAfter('a', 5_000);
    queue.addAfter('a', 1_000);
    queue.addAfter('a', 9_000);
    await clock.advance(1_000);
    expect(await takeAll(queue)).toEqual(['a']);
    queue.done('a');
    await clock.advance(20_000);
    expect(queue.depth).toBe(0);
  });

  test('waits for months with one timer', async () => {
    const { queue, clock } = build();
    const month = 30 * 24 * 3_600_000;
    for (let i = 0; i < 100; i++) queue.addAfter(`k${i}`, 2 * month + i);
    expect(clock.pending).toBe(1);
    await clock.advance(2 * month);
    expect(await takeAll(queue)).toEqual(['k0']);
  });

  test('drops the timer of a key that a worker takes', async () => {
    const { queue, clock } = build();
    queue.addAfter('a', 1_000);
    queue.add('a');
    await take(queue);
    queue.done('a');
    await clock.advance(10_000);
    expect(queue.depth).toBe(0);
  });

  test('notices keys that a clock set forward made due, within an hour', async () => {
    const { queue, clock } = build();
    queue.addAfter('a', 48 * 3_600_000);
    clock.step(48 * 3_600_000);
    await clock.advance(3_600_000);
    expect(await takeAll(queue)).toEqual(['a']);
  });

  test('doubles the wait of a key with each retry, up to five minutes, until it is forgotten', () => {
    const { queue } = build();
    const waits = Array.from({ length: 20 }, () => queue.retry('a'));
    expect(waits.slice(0, 3)).toEqual([37.5, 75, 150]);
    expect(waits.at(-1)).toBe(225_000);
    queue.forget('a');
    expect(queue.retry('a')).toBe(37.5);
  });

  test('ends the wait for a key when its signal aborts, and delivers that key to no one twice', async () => {
    const { queue } = build();
    const stop = new AbortController();
    const waiting = queue.get(stop.signal);
    stop.abort();
    expect(await waiting).toBeUndefined();
    queue.add('a');
    expect(await takeAll(queue)).toEqual(['a']);
  });

  test('sends its workers home at shutdown and takes nothing more', async () => {
    const { queue, clock } = build();
    queue.add('a');
    await take(queue);
    const waiting = queue.get(never);
    queue.addAfter('b', 10);
    queue.shutDown();
    expect(await waiting).toBeUndefined();
    queue.add('a');
    queue.done('a');
    await clock.advance(1_000);
    expect([queue.depth, queue.delayed, clock.pending]).toEqual([0, 0, 0]);
  });

  test('reports depth, and how long a key waited since it was due', async () => {
    const { queue, clock, metrics } = build();
    queue.addAfter('a', 1_000);
    clock.freeze(3_000);
    await clock.advance(0);
    await take(queue);
    expect(metrics.calls).toContainEqual(['queueWaited', 'token', 2]);
    expect(metrics.calls).toContainEqual(['queueDepth', 'token', 1]);
    expect(metrics.calls.at(-1)).toEqual(['queueDepth', 'token', 0]);
  });
});

describe('namespaces take turns', () => {
  test.each(['high', 'normal', 'low'] as const)(
    'at %s priority: behind ten thousand keys of one, a key of another is second',
    async (priority) => {
      const { queue } = build();
      for (let i = 0; i < 10_000; i++) queue.add(`flood/${i}`, priority);
      queue.add('quiet/one', priority);
      expect([await take(queue), await take(queue)]).toContain('quiet/one');
    },
  );

  test('with keys that are due by their time too', async () => {
    const { queue, clock } = build();
    for (let i = 0; i < 1_000; i++) queue.addAfter(`flood/${i}`, 10);
    queue.addAfter('quiet/one', 20);
    await clock.advance(30);
    expect([await take(queue), await take(queue)]).toContain('quiet/one');
  });

  test('and a namespace with one key after another waits no longer than one with many', async () => {
    const { queue } = build();
    for (let i = 0; i < 100; i++) queue.add(`flood/${i}`);
    const order: string[] = [];
    for (let i = 0; i < 10; i++) {
      queue.add(`quiet/${i}`);
      order.push((await take(queue)) ?? '', (await take(queue)) ?? '');
    }
    expect(order.filter((taken) => taken.startsWith('quiet/'))).toHaveLength(10);
  });

  test('and one has no more keys with workers than it may, however many there are', async () => {
    const { queue } = build(new FakeClock(), { namespaceConcurrency: 2 });
    for (const one of ['slow/1', 'slow/2', 'slow/3', 'slow/4']) queue.add(one);
    const got: (string | undefined)[] = [];
    for (let worker = 1; worker <= 4; worker++) void queue.get(never).then((taken) => got.push(taken));
    await settle();
    expect(got).toEqual(['slow/1', 'slow/2']);
    queue.add('quick/1');
    await settle();
    expect(got).toEqual(['slow/1', 'slow/2', 'quick/1']);
    queue.done('quick/1');
    queue.done('slow/2');
    await settle();
    expect(got).toEqual(['slow/1', 'slow/2', 'quick/1', 'slow/3']);
    expect(queue.depth).toBe(1);
  });

  test('within their keys the order of arrival counts', async () => {
    const { queue } = build();
    for (const one of ['a/1', 'a/2', 'a/3', 'b/1', 'c/1', 'b/2']) queue.add(one);
    expect(await takeAll(queue)).toEqual(['a/1', 'b/1', 'c/1', 'a/2', 'b/2', 'a/3']);
  });

  test('no key waits for more than its own namespace and one of each other beside each of these', async () => {
    const one = fc.tuple(fc.constantFrom('a', 'b', 'c', 'd'), fc.nat(9));
    await fc.assert(
      fc.asyncProperty(fc.uniqueArray(one, { selector: String, maxLength: 40 }), async (pairs) => {
        const { queue } = build();
        for (const [namespace, n] of pairs) queue.add(`${namespace}/${n}`);
        const taken = await takeAll(queue);
        const namespaces = new Set(pairs.map(([namespace]) => namespace)).size;
        for (const namespace of ['a', 'b', 'c', 'd']) {
          const own = pairs.filter((pair) => pair[0] === namespace).map(([, n]) => `${namespace}/${n}`);
          for (const [before, added] of own.entries())
            expect(taken.indexOf(added)).toBeLessThan((before + 1) * namespaces);
        }
      }),
    );
  });
});

const key = fc.constantFrom('a/1', 'a/2', 'b/1', 'b/2', 'c');
const step = fc.oneof(
  fc.record({
    do: fc.constant('add' as const),
    key,
    priority: fc.constantFrom('high', 'normal', 'low' as const),
  }),
  fc.record({ do: fc.constant('addAfter' as const), key, ms: fc.integer({ min: 1, max: 50 }) }),
  fc.record({ do: fc.constant('take' as const) }),
  fc.record({ do: fc.constant('done' as const), pick: fc.nat() }),
  fc.record({ do: fc.constant('advance' as const), ms: fc.integer({ min: 1, max: 30 }) }),
);

/** What the queue promises, without its order: due keys, keys with workers, keys to come back, timers. */
class Model {
  readonly ready = new Set<string>();
  readonly working: string[] = [];
  readonly dirty = new Set<string>();
  readonly timers = new Map<string, number>();

  add(key: string): void {
    (this.working.includes(key) ? this.dirty : this.ready).add(key);
  }

  take(key: string): void {
    expect(this.ready.delete(key)).toBe(true);
    this.working.push(key);
    this.timers.delete(key);
  }

  done(key: string): void {
    this.working.splice(this.working.indexOf(key), 1);
    if (this.dirty.delete(key)) this.ready.add(key);
  }

  fire(now: number): void {
    for (const [key, due] of this.timers) {
      if (due > now) continue;
      this.timers.delete(key);
      this.add(key);
    }
  }
}

test('no sequence of calls loses a key, gives one to two workers, or delivers one before its time', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 80 }), async (steps) => {
      const { queue, clock } = build();
      const model = new Model();
      for (const one of steps) {
        if (one.do === 'add') {
          queue.add(one.key, one.priority);
          model.add(one.key);
        } else if (one.do === 'addAfter') {
          queue.addAfter(one.key, one.ms);
          const due = clock.now() + one.ms;
          model.timers.set(one.key, Math.min(due, model.timers.get(one.key) ?? due));
        } else if (one.do === 'advance') {
          await clock.advance(one.ms);
          model.fire(clock.now());
        } else if (one.do === 'take') {
          const taken = await take(queue);
          if (taken === undefined) expect(model.ready.size).toBe(0);
          else model.take(taken);
        } else {
          const given = model.working[one.pick % Math.max(1, model.working.length)];
          if (given === undefined) continue;
          queue.done(given);
          model.done(given);
        }
        expect(queue.depth).toBe(model.ready.size);
        expect(queue.processing).toBe(model.working.length);
        expect(queue.delayed).toBe(model.timers.size);
      }
    }),
    { numRuns: 300 },
  );
});

test('a hundred thousand keys go in, become due and come out, each once', async () => {
  const { queue, clock } = build();
  for (let i = 0; i < 100_000; i++) queue.addAfter(`k${(i * 7919) % 100_000}`, 1 + (i % 1000));
  await clock.advance(1_000);
  let count = 0;
  while (queue.depth > 0) {
    const taken = await queue.get(never);
    if (taken !== undefined) queue.done(taken);
    count++;
  }
  expect(count).toBe(100_000);
});
