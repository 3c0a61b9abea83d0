import { describe, expect, test } from '@jest/globals';
import { createFairTurns } from '../../../operator/async/fair-turns.ts';
import type { Awaitable } from '../../../operator/async/map-awaitable.ts';
import { FakeClock, settle } from '../../support/fake-clock.ts';

/** Turns of the event loop that the test ends; work named like `a1` is of the group `a` and takes 4 of the 10 ms that there are. */
const setUp = (limits = { total: 100, perGroup: 100 }) => {
  const clock = new FakeClock();
  const deferred: (() => void)[] = [];
  const done: string[] = [];
  const turns = createFairTurns({
    budgetMs: 10,
    waiting: limits,
    clock,
    defer: (work) => void deferred.push(work),
    full: () => new Error('full'),
  });
  const outcomes = new Map<string, unknown>();
  const run = (id: string, work: () => Awaitable<unknown> = () => undefined): void => {
    const whole = (): Awaitable<unknown> => {
      clock.freeze(4);
      done.push(id);
      return work();
    };
    const outcome = turns.run(() => ({ group: id.slice(0, 1), member: '' }), whole);
    if (!(outcome instanceof Promise)) outcomes.set(id, 'at once');
    else {
      outcome.then(
        (value) => outcomes.set(id, value),
        (error: Error) => outcomes.set(id, error.message),
      );
    }
  };
  /** The next turn of the event loop: what was done in it. */
  const nextTurn = async (): Promise<string> => {
    const before = done.length;
    for (const work of deferred.splice(0)) work();
    await settle();
    return done.slice(before).join(' ');
  };
  return { clock, deferred, done, outcomes, run, turns, nextTurn };
};

describe('turns of the event loop', () => {
  test('start work at once as long as there is time, without a look at its key', () => {
    const { deferred, done, outcomes, run } = setUp();
    for (const id of ['a1', 'a2', 'a3']) run(id);
    expect(done).toEqual(['a1', 'a2', 'a3']);
    expect([...outcomes.values()]).toEqual(['at once', 'at once', 'at once']);
    expect(deferred).toHaveLength(1);
  });

  test('leave the rest to later ones, where groups alternate', async () => {
    const { run, nextTurn } = setUp();
    for (let id = 1; id <= 9; id += 1) run(`a${id}`);
    run('b1');
    run('b2');
    expect(await nextTurn()).toBe('a4 b1 a5');
    run('c1');
    expect(await nextTurn()).toBe('b2 a6 c1');
    expect(await nextTurn()).toBe('a7 a8 a9');
    expect(await nextTurn()).toBe('');
  });

  test('start work at once again when nothing waits', async () => {
    const { deferred, done, outcomes, run, nextTurn } = setUp();
    for (const id of ['a1', 'a2', 'a3', 'a4']) run(id);
    expect(await nextTurn()).toBe('a4');
    run('a5');
    expect(done.at(-1)).toBe('a5');
    expect(outcomes.get('a5')).toBe('at once');
    await nextTurn();
    expect(deferred).toEqual([]);
  });

  test.each([1, 2, 10])('count the time that work takes after it has waited %i times', async (waits) => {
    const { clock, run, nextTurn } = setUp();
    const later = async (): Promise<void> => {
      for (let wait = 0; wait < waits; wait += 1) await undefined;
      clock.freeze(100);
    };
    for (const id of ['a1', 'a2', 'a3']) run(id);
    for (const id of ['a4', 'a5']) run(id, later);
    expect(await nextTurn()).toBe('a4');
    expect(await nextTurn()).toBe('a5');
  });

  test('let those go on who are in the midst of their work, one after the other', async () => {
    const { clock, done, turns, nextTurn } = setUp();
    const work = async (id: string): Promise<void> => {
      for (let part = 1; part <= 2; part += 1) {
        await turns.next({ group: id, member: '' });
        await undefined;
        clock.freeze(4);
        done.push(`${id}${part}`);
      }
    };
    const all = Promise.all(['a', 'b', 'c', 'd'].map(work));
    expect(done).toEqual([]);
    await settle();
    expect(done).toEqual(['a1', 'b1', 'c1']);
    expect(await nextTurn()).toBe('d1 a2 b2');
    expect(await nextTurn()).toBe('c2 d2');
    await all;
    expect(await nextTurn()).toBe('');
  });

  test('let none go on while too many wait', async () => {
    const { turns, nextTurn } = setUp({ total: 1, perGroup: 100 });
    const [first, second] = ['a', 'b'].map((group) => turns.next({ group, member: '' }));
    await expect(second).rejects.toThrow('full');
    await first;
    expect(await nextTurn()).toBe('');
  });

  test('return what the work does, and go on after it fails', async () => {
    const { outcomes, run, nextTurn } = setUp();
    for (const id of ['a1', 'a2', 'a3']) run(id);
    run('a4', () => 'value');
    run('a5', () => {
      throw new Error('thrown');
    });
    run('a6', () => Promise.reject(new Error('rejected')));
    await nextTurn();
    expect([...outcomes].slice(3)).toEqual([
      ['a4', 'value'],
      ['a5', 'thrown'],
      ['a6', 'rejected'],
    ]);
  });

  test('drop the newest of the group with most if too much waits', async () => {
    const { outcomes, run, nextTurn } = setUp({ total: 3, perGroup: 100 });
    for (const id of ['a1', 'a2', 'a3', 'a4', 'a5', 'a6', 'b1', 'b2']) run(id);
    await settle();
    expect([...outcomes].slice(3)).toEqual([
      ['a6', 'full'],
      ['b2', 'full'],
    ]);
    expect(await nextTurn()).toBe('a4 b1 a5');
  });
});
