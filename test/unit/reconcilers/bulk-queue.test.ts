import { expect, test } from '@jest/globals';
import { BulkQueue } from '../../../operator/reconcilers/bulk-queue.ts';
import { FakeClock } from '../../support/fake-clock.ts';

const keys = (count: number) => Array.from({ length: count }, (_, n) => `ns/${n}`);

test('many keys go in a piece at a time, each once, at low priority', async () => {
  const clock = new FakeClock();
  const added: [string, string | undefined][] = [];
  const bulk = new BulkQueue({ add: (key, priority) => added.push([key, priority]) }, clock);
  bulk.add(keys(1200));
  expect(added.length).toBe(500);
  bulk.add(keys(1200).slice(600));
  expect(added.length).toBe(500);
  await clock.advance(0);
  expect(added.map(([key]) => key)).toEqual(keys(1200));
  expect(new Set(added.map(([, priority]) => priority))).toEqual(new Set(['low']));
});

test('what waits is forgotten at the end', async () => {
  const clock = new FakeClock();
  const added: string[] = [];
  const bulk = new BulkQueue({ add: (key) => added.push(key) }, clock);
  bulk.add(keys(600));
  bulk.stop();
  await clock.advance(1000);
  expect(added.length).toBe(500);
});
