import { describe, expect, test } from '@jest/globals';
import { createSemaphore } from '../../../operator/async/semaphore.ts';
import { settle } from '../../support/fake-clock.ts';

const errors = { full: () => new Error('full'), aborted: () => new Error('aborted') };
const never = new AbortController().signal;

/** Work that ends when the test releases it. */
const setUp = (atOnce: number, waiting: number) => {
  const semaphore = createSemaphore({ atOnce, waiting, errors });
  const running = new Map<number, () => void>();
  const order: number[] = [];
  const run = (id: number, signal: AbortSignal = never) =>
    semaphore.run(
      () =>
        new Promise<number>((resolve) => {
          order.push(id);
          running.set(id, () => {
            running.delete(id);
            resolve(id);
          });
        }),
      signal,
    );
  return { semaphore, running, order, run };
};

describe('a semaphore', () => {
  test('runs as many as allowed at once, the rest in the order of arrival', async () => {
    const { run, running, order } = setUp(2, 10);
    const all = [1, 2, 3, 4].map((id) => run(id));
    await settle();
    expect([...running.keys()]).toEqual([1, 2]);
    running.get(2)?.();
    await settle();
    expect([...running.keys()]).toEqual([1, 3]);
    for (const id of [1, 3]) running.get(id)?.();
    await settle();
    running.get(4)?.();
    expect(await Promise.all(all)).toEqual([1, 2, 3, 4]);
    expect(order).toEqual([1, 2, 3, 4]);
  });

  test('rejects work beyond the queue’s limit', async () => {
    const { run, running } = setUp(1, 1);
    const all = [run(1), run(2)];
    await expect(run(3)).rejects.toThrow('full');
    running.get(1)?.();
    await settle();
    running.get(2)?.();
    expect(await Promise.all(all)).toEqual([1, 2]);
  });

  test('frees the place of a waiting caller that gives up, and never starts its work', async () => {
    const { run, running, order } = setUp(1, 1);
    const gone = new AbortController();
    const first = run(1);
    const second = run(2, gone.signal);
    gone.abort();
    await expect(second).rejects.toThrow('aborted');
    const third = run(3);
    running.get(1)?.();
    await settle();
    running.get(3)?.();
    expect(await Promise.all([first, third])).toEqual([1, 3]);
    expect(order).toEqual([1, 3]);
  });

  test('is released by work that fails', async () => {
    const { semaphore, run, running } = setUp(1, 1);
    await expect(semaphore.run(() => Promise.reject(new Error('no')), never)).rejects.toThrow('no');
    const next = run(1);
    await settle();
    running.get(1)?.();
    expect(await next).toBe(1);
  });
});
