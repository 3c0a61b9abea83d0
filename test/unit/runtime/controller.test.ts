import { afterEach, describe, expect, test } from '@jest/globals';
import { ApiError } from '../../../operator/ports/kube.ts';
import {
  Controller,
  type ControllerOptions,
  DONE,
  type ReconcileResult,
} from '../../../operator/runtime/controller.ts';
import { FakeClock, settle } from '../../support/fake-clock.ts';
import { recordedLog, recordedMetrics } from '../../support/quiet.ts';

const stop = { current: new AbortController() };
afterEach(() => stop.current.abort());

type Reconcile = (key: string, signal: AbortSignal) => Promise<ReconcileResult>;

const build = (
  reconcile: Reconcile,
  options: Partial<Pick<ControllerOptions, 'concurrency' | 'seed' | 'defer'>> = {},
) => {
  stop.current = new AbortController();
  const clock = new FakeClock();
  const log = recordedLog();
  const metrics = recordedMetrics();
  const controller = new Controller({
    name: 'token',
    concurrency: 2,
    seed: () => [],
    defer: setImmediate,
    ...options,
    reconcile,
    clock,
    random: () => 0.5,
    log,
    metrics,
  });
  const start = () => controller.start(stop.current.signal);
  const outcomes = () => metrics.calls.filter(([name]) => name === 'reconciled').map((call) => call[2]);
  return { clock, log, metrics, controller, start, outcomes, cut: () => stop.current.abort() };
};

const run = (reconcile: Reconcile, concurrency = 2) => {
  const built = build(reconcile, { concurrency });
  built.start();
  return built;
};

/** Throws the errors one after the other, then is done. */
const failing = (...errors: unknown[]) => {
  const calls: string[] = [];
  const reconcile = async (key: string): Promise<ReconcileResult> => {
    calls.push(key);
    const error = errors[calls.length - 1];
    if (error !== undefined) throw error;
    return DONE;
  };
  return { calls, reconcile };
};

const conflict = new ApiError('update x: 409 Conflict', { status: 409, reason: 'Conflict' });

describe('a controller', () => {
  test('works on as many keys at a time as it may', async () => {
    let now = 0;
    let most = 0;
    const { controller } = run(async () => {
      most = Math.max(most, ++now);
      await settle();
      now--;
      return DONE;
    }, 3);
    for (let i = 0; i < 10; i++) controller.queue.add(`k${i}`);
    while (controller.queue.depth + controller.queue.processing > 0) await settle();
    expect(most).toBe(3);
  });

  test('reconciles a key of one namespace within twice the time of a reconcile while another one floods the queue', async () => {
    const WORK_MS = 20;
    const done = new Map<string, number>();
    const { controller, clock } = run(async (key) => {
      await new Promise<void>((resolve) => clock.after(WORK_MS, resolve));
      done.set(key, clock.now());
      return DONE;
    }, 4);
    const flood = (): void => {
      for (let n = 0; n < 2_000; n++) controller.queue.add(`flood/${n}`);
    };
    const waits: number[] = [];
    for (let n = 0; n < 20; n++) {
      flood();
      const added = clock.now();
      controller.queue.add(`quiet/${n}`);
      await clock.advance(5 * WORK_MS);
      waits.push((done.get(`quiet/${n}`) ?? Number.POSITIVE_INFINITY) - added);
    }
    expect(Math.max(...waits)).toBeLessThanOrEqual(2 * WORK_MS);
  });

  test('takes no keys before its start, and then all that its seed knows, in pieces and after what is urgent', async () => {
    const { calls, reconcile } = failing();
    const known = new Set(['b']);
    const { controller, clock, metrics, start } = build(reconcile, {
      concurrency: 1,
      seed: () => known.keys(),
    });
    controller.queue.add('gone');
    controller.queue.addAfter('later', 1_000);
    controller.queue.retry('failed');
    expect([controller.queue.depth, controller.queue.delayed]).toEqual([0, 0]);
    expect(metrics.calls).toEqual([]);
    for (let n = 0; n < 1_000; n++) known.add(`k${n}`);
    start();
    expect(controller.queue.depth).toBeLessThanOrEqual(500);
    controller.queue.add('urgent', 'high');
    await clock.advance(0);
    while (controller.queue.depth > 0) await clock.advance(0);
    expect(new Set(calls)).toEqual(new Set([...known, 'urgent']));
    expect(calls.indexOf('urgent')).toBeLessThan(20);
    await clock.advance(10_000);
    expect(calls).toHaveLength(1_002);
  });

  test('lets others have their turn between passes that wait for nothing', async () => {
    const { calls, reconcile } = failing();
    const turns: (() => void)[] = [];
    const { controller, start } = build(reconcile, { concurrency: 4, defer: (turn) => turns.push(turn) });
    start();
    for (let n = 0; n < 200; n++) controller.queue.add(`k${n}`);
    await settle();
    expect(calls.length).toBeLessThanOrEqual(32 + 4);
    for (let turn = turns.shift(); turn; turn = turns.shift()) {
      turn();
      await settle();
    }
    expect(calls).toHaveLength(200);
  });

  test('asks its seed for nothing more once it is stopped', async () => {
    const { reconcile } = failing();
    const drawn: number[] = [];
    const { controller, clock, start } = build(reconcile, {
      seed: function* () {
        for (let n = 0; n < 1_000; n++) {
          drawn.push(n);
          yield `k${n}`;
        }
      },
    });
    start();
    expect(await controller.stop()).toBe(true);
    await clock.advance(1_000);
    expect(drawn).toHaveLength(500);
  });

  test('reconciles again when the result asks for it', async () => {
    const { calls, reconcile } = failing();
    const { controller, clock, outcomes } = run(async (key) => {
      await reconcile(key);
      return { kind: 'requeue', afterMs: 60_000 };
    });
    controller.queue.add('a');
    await clock.advance(59_999);
    expect(calls).toHaveLength(1);
    await clock.advance(1);
    expect(calls).toHaveLength(2);
    expect(outcomes()).toEqual(['requeued', 'requeued']);
  });

  test('plans a conflict again within 100 ms, without an error in the log', async () => {
    const { calls, reconcile } = failing(conflict);
    const { controller, clock, log, outcomes } = run(reconcile);
    controller.queue.add('a');
    await clock.advance(100);
    expect(calls).toHaveLength(2);
    expect(outcomes()).toEqual(['conflict', 'done']);
    expect(log.lines.filter(({ level }) => level === 'error')).toEqual([]);
  });

  test('takes AlreadyExists for an error like any other', async () => {
    const { reconcile } = failing(new ApiError('create x: 409', { status: 409, reason: 'AlreadyExists' }));
    const { controller, outcomes } = run(reconcile);
    controller.queue.add('a');
    await settle();
    expect(outcomes()).toEqual(['error']);
  });

  test('backs off from errors, starts afresh after a success, and logs each once with its key', async () => {
    const { calls, reconcile } = failing(new Error('1'), new Error('2'), undefined, new Error('4'));
    const { controller, clock, log } = run(reconcile);
    controller.queue.add('a');
    await settle();
    expect(clock.untilNext).toBe(37.5);
    await clock.advance(37.5);
    expect(clock.untilNext).toBe(75);
    await clock.advance(75);
    controller.queue.add('a');
    await settle();
    expect(clock.untilNext).toBe(37.5);
    expect(calls).toHaveLength(4);
    const errors = log.lines.filter(({ level }) => level === 'error');
    expect(errors).toHaveLength(3);
    expect(errors[0]).toMatchObject({ fields: { controller: 'token', key: 'a', failures: 1 } });
  });

  test('waits at least as long as the API server asks', async () => {
    const busy = new ApiError('busy', { status: 429, reason: 'TooManyRequests', retryAfterMs: 7_000 });
    const { calls, reconcile } = failing(busy);
    const { controller, clock } = run(reconcile);
    controller.queue.add('a');
    await clock.advance(6_999);
    expect(calls).toHaveLength(1);
    await clock.advance(1);
    expect(calls).toHaveLength(2);
  });

  test('gives a key back whose reconcile hangs', async () => {
    const { controller, clock, outcomes } = run(
      (_key, signal) =>
        new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason))),
    );
    controller.queue.add('a');
    await clock.advance(120_000);
    expect(outcomes()).toEqual(['error']);
  });

  test('aborts what it does when it is cut short, and begins nothing more', async () => {
    const seen: string[] = [];
    const { controller, cut, outcomes } = run((key, signal) => {
      seen.push(key);
      return new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
    }, 1);
    controller.queue.add('a');
    controller.queue.add('b');
    await settle();
    cut();
    expect(await controller.stop()).toBe(true);
    expect(seen).toEqual(['a']);
    expect(outcomes()).toEqual([]);
  });

  test('lets its workers end their keys at stop, and takes no new ones', async () => {
    const gate = Promise.withResolvers<ReconcileResult>();
    const seen: string[] = [];
    const { controller, outcomes } = run((key) => {
      seen.push(key);
      return gate.promise;
    }, 1);
    controller.queue.add('a');
    controller.queue.add('b');
    await settle();
    const stopping = controller.stop();
    gate.resolve(DONE);
    expect(await stopping).toBe(true);
    expect(seen).toEqual(['a']);
    expect(outcomes()).toEqual(['done']);
  });

  test('does not wait at stop beyond its deadline', async () => {
    const { controller, clock, log } = run(() => new Promise(() => undefined));
    controller.queue.add('a');
    await settle();
    const stopping = controller.stop(5_000);
    await clock.advance(5_000);
    expect(await stopping).toBe(false);
    expect(log.lines.at(-1)).toMatchObject({ level: 'warn', fields: { keys: 1 } });
  });
});
