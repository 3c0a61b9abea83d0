import { describe, expect, test } from '@jest/globals';
import { eventually } from '../../support/eventually.ts';

describe('eventually', () => {
  test('gives the first answer that is neither an error nor falsy', async () => {
    const answers = [() => false, () => Promise.reject(new Error('not yet')), () => 'done'];

    expect(await eventually(() => answers.shift()?.(), { intervalMs: 1 })).toBe('done');
  });

  test('counts a block that only expects as done', async () => {
    await expect(eventually(() => expect(1).toBe(1))).resolves.toBeUndefined();
  });

  test('fails with the last error', async () => {
    let calls = 0;
    const look = () => Promise.reject(new Error(`failure ${++calls}`));

    const error: Error = await eventually(look, { timeoutMs: 5, intervalMs: 1 }).catch((reason) => reason);

    expect(error.message).toBe(`still failing after 5 ms; the last time: failure ${calls}`);
    expect(error.cause).toEqual(new Error(`failure ${calls}`));
  });
});
