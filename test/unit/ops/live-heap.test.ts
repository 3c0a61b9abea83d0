import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterEach, expect, test } from '@jest/globals';
import { LiveHeap } from '../../../operator/ops/live-heap.ts';
import { eventually } from '../../support/eventually.ts';

/** V8's own garbage collector, which runs when the test says so. */
setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

const MIB = 1024 * 1024;
const heap = new LiveHeap();
afterEach(() => heap.stop());

/** Runs the collector, until the size of the heap after it is as expected. */
const collectUntil = (isExpected: (bytes: number) => boolean): Promise<number> =>
  eventually(() => {
    collect();
    expect(isExpected(heap.bytes)).toBe(true);
    return heap.bytes;
  });

test('what is alive is known after a major collection, and garbage is not part of it', async () => {
  expect(heap.bytes).toBe(0);
  heap.start();
  const before = await collectUntil((bytes) => bytes > 0);
  const kept = new Map([['numbers', Array.from({ length: 4 * MIB }, (_, n) => n + 0.5)]]);
  await collectUntil((bytes) => bytes > before + 16 * MIB);
  kept.clear();
  const after = await collectUntil((bytes) => bytes < before + 16 * MIB);
  expect(after).toBeLessThan(heap.limitBytes);
}, 60_000);
