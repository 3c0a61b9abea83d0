import { describe, expect, test } from '@jest/globals';
import {
  createFairSemaphore,
  type FairSemaphoreOptions,
  RecentGroups,
  runInTurn,
} from '../../../operator/async/fair-semaphore.ts';
import { FakeClock, settle } from '../../support/fake-clock.ts';

const errors = { full: () => new Error('full'), aborted: () => new Error('aborted') };
const never = new AbortController().signal;

/** Work named like `a1`, of the group that its first character names; it ends when the test releases it. */
const setUp = (limits: Partial<Omit<FairSemaphoreOptions, 'errors'>> = {}) => {
  const clock = new FakeClock();
  const semaphore = createFairSemaphore({
    atOnce: 1,
    atOncePerGroup: { alone: 99, besideOthers: 99 },
    groups: new RecentGroups(),
    clock,
    waiting: 99,
    waitingPerGroup: 99,
    ...limits,
    errors,
  });
  const running = new Map<string, () => void>();
  const order: string[] = [];
  const outcomes = new Map<string, string>();
  const run = (id: string, signal: AbortSignal = never): void => {
    const work = () =>
      new Promise<string>((resolve) => {
        order.push(id);
        running.set(id, () => {
          running.delete(id);
          resolve('done');
        });
      });
    semaphore.run({ group: id.slice(0, 1), member: '' }, work, signal).then(
      (outcome) => outcomes.set(id, outcome),
      (error: Error) => outcomes.set(id, error.message),
    );
  };
  const release = async (...ids: string[]): Promise<void> => {
    for (const id of ids) running.get(id)?.();
    await settle();
  };
  const releaseAll = async (): Promise<void> => {
    while (running.size > 0) await release(...running.keys());
  };
  return { clock, semaphore, running, order, outcomes, run, release, releaseAll };
};

describe('a fair semaphore', () => {
  test('runs as many as allowed at once, the rest of a group in the order of arrival', async () => {
    const { run, running, order, outcomes, release, releaseAll } = setUp({ atOnce: 2 });
    for (const id of ['a1', 'a2', 'a3', 'a4']) run(id);
    await settle();
    expect([...running.keys()]).toEqual(['a1', 'a2']);
    await release('a2');
    expect([...running.keys()]).toEqual(['a1', 'a3']);
    await releaseAll();
    expect(order).toEqual(['a1', 'a2', 'a3', 'a4']);
    expect([...outcomes.values()]).toEqual(['done', 'done', 'done', 'done']);
  });

  test('gives the next free place to a group that has waited for none yet, whatever waits before it', async () => {
    const { run, order, release } = setUp();
    for (let id = 1; id <= 50; id += 1) run(`a${id}`);
    run('b1');
    run('b2');
    await release('a1');
    await release('a2');
    await release('b1');
    await release('a3');
    expect(order).toEqual(['a1', 'a2', 'b1', 'a3', 'b2']);
  });

  test('leaves to others what one group may not have', async () => {
    const { run, running, order, release, releaseAll } = setUp({
      atOnce: 3,
      atOncePerGroup: { alone: 2, besideOthers: 2 },
    });
    for (const id of ['a1', 'a2', 'a3', 'a4', 'b1']) run(id);
    await settle();
    expect([...running.keys()]).toEqual(['a1', 'a2', 'b1']);
    await release('b1');
    expect([...running.keys()]).toEqual(['a1', 'a2']);
    run('c1');
    await release('a1');
    expect([...running.keys()]).toEqual(['a2', 'c1', 'a3']);
    await releaseAll();
    expect(order).toEqual(['a1', 'a2', 'b1', 'c1', 'a3', 'a4']);
  });

  test('lets a group run more while it is alone than beside others, which are gone a second after they were seen', async () => {
    const { clock, run, running, release, releaseAll } = setUp({
      atOnce: 16,
      atOncePerGroup: { alone: 8, besideOthers: 2 },
    });
    for (let id = 1; id <= 20; id += 1) run(`a${id}`);
    await settle();
    expect(running.size).toBe(8);
    run('b1');
    await release('a1', 'a2', 'a3', 'a4', 'a5', 'a6', 'b1');
    expect([...running.keys()]).toEqual(['a7', 'a8']);
    await release('a7');
    expect([...running.keys()]).toEqual(['a8', 'a9']);
    await clock.advance(999);
    await release('a8');
    expect(running.size).toBe(2);
    await clock.advance(1);
    await release('a9');
    expect(running.size).toBe(8);
    await releaseAll();
  });

  test('knows the groups of other semaphores', async () => {
    const groups = new RecentGroups();
    const atOncePerGroup = { alone: 8, besideOthers: 2 };
    const [one, another] = [1, 2].map(() => setUp({ atOnce: 16, atOncePerGroup, groups }));
    another?.run('b1');
    for (const id of ['a1', 'a2', 'a3']) one?.run(id);
    await settle();
    expect(one?.running.size).toBe(2);
    await Promise.all([one?.releaseAll(), another?.releaseAll()]);
  });

  test('rejects the newest of the group with most if too many wait', async () => {
    const { run, outcomes, order, releaseAll } = setUp({ waiting: 3 });
    for (const id of ['a1', 'a2', 'a3', 'a4', 'b1', 'c1']) run(id);
    await settle();
    expect([...outcomes]).toEqual([
      ['a4', 'full'],
      ['a3', 'full'],
    ]);
    await releaseAll();
    expect(order).toEqual(['a1', 'a2', 'b1', 'c1']);
  });

  test('rejects what is new in a group that has its share of the places', async () => {
    const { run, outcomes, releaseAll } = setUp({ waitingPerGroup: 1 });
    for (const id of ['a1', 'a2', 'a3', 'b1']) run(id);
    await settle();
    expect([...outcomes]).toEqual([['a3', 'full']]);
    await releaseAll();
  });

  test('frees the place of a waiting caller that gives up, and never starts its work', async () => {
    const { run, outcomes, order, releaseAll } = setUp({ waiting: 1 });
    const gone = new AbortController();
    run('a1');
    run('a2', gone.signal);
    gone.abort();
    await settle();
    run('a3');
    run('a4', gone.signal);
    await settle();
    expect([...outcomes]).toEqual([
      ['a2', 'aborted'],
      ['a4', 'aborted'],
    ]);
    await releaseAll();
    expect(order).toEqual(['a1', 'a3']);
  });

  test('does not mind a signal that aborts after the work was dropped, or has started', async () => {
    const { run, outcomes, order, release, releaseAll } = setUp({ waiting: 2 });
    const gone = new AbortController();
    for (const id of ['a1', 'a2', 'a3', 'a4']) run(id, gone.signal);
    run('b1');
    await release('a1');
    expect([...outcomes]).toEqual([
      ['a4', 'full'],
      ['a3', 'full'],
      ['a1', 'done'],
    ]);
    gone.abort();
    await releaseAll();
    expect(order).toEqual(['a1', 'a2', 'b1']);
  });

  test('is released by work that fails', async () => {
    const { semaphore, run, running, releaseAll } = setUp();
    const failing = semaphore.run({ group: 'a', member: '' }, () => Promise.reject(new Error('no')), never);
    await expect(failing).rejects.toThrow('no');
    run('a1');
    await settle();
    expect(running.has('a1')).toBe(true);
    await releaseAll();
  });
});

describe('work in its turn', () => {
  test('has the whole time when its turn comes, however long it waited', async () => {
    const { semaphore, clock, run, release } = setUp();
    run('a1');
    const signals: AbortSignal[] = [];
    const outcome = runInTurn(
      { queue: semaphore, key: { group: 'b', member: '' }, deadline: { clock, ms: 1000 } },
      (signal) => {
        signals.push(signal);
        return new Promise<string>((resolve) => signal.addEventListener('abort', () => resolve('ended')));
      },
    );
    await clock.advance(999);
    expect(signals).toEqual([]);
    await release('a1');
    await clock.advance(999);
    expect(signals.map(({ aborted }) => aborted)).toEqual([false]);
    await clock.advance(1);
    expect(await outcome).toBe('ended');
    expect(clock.pending).toBe(0);
  });

  test('does not begin if its turn does not come in that time', async () => {
    const { semaphore, clock, run, release } = setUp();
    run('a1');
    const outcome = runInTurn(
      { queue: semaphore, key: { group: 'b', member: '' }, deadline: { clock, ms: 1000 } },
      () => Promise.reject(new Error('begun')),
    );
    const rejected = expect(outcome).rejects.toThrow('aborted');
    await clock.advance(1000);
    await rejected;
    await release('a1');
  });
});
