import { expect, test } from '@jest/globals';
import { BulkQueue } from '../../../operator/runtime/bulk-queue.ts';
import { FakeClock } from '../../support/fake-clock.ts';

const setUp = () => {
  const clock = new FakeClock();
  const added: [string, string | undefined][] = [];
  const bulk = new BulkQueue({ add: (key, priority) => added.push([key, priority]) }, clock);
  const drawn = { count: 0 };
  function* keys(count: number, start = 0): Generator<string> {
    for (let n = start; n < count; n++) {
      drawn.count += 1;
      yield `ns/${n}`;
    }
  }
  return { clock, added, bulk, keys, drawn, addedKeys: () => added.map(([key]) => key) };
};

test('many keys go in a piece at a time, in the order of their source, at low priority', async () => {
  const { clock, added, bulk, keys, addedKeys } = setUp();
  bulk.add(keys(1200));
  expect(added.length).toBe(500);
  bulk.add(keys(1800, 1200));
  expect(added.length).toBe(500);
  await clock.advance(0);
  const first = new Set(keys(1200));
  expect(addedKeys().filter((key) => first.has(key))).toEqual([...keys(1200)]);
  expect(addedKeys().filter((key) => !first.has(key))).toEqual([...keys(1800, 1200)]);
  expect(new Set(added.map(([, priority]) => priority))).toEqual(new Set(['low']));
});

test('a source with many keys lets the others have their turns', async () => {
  const { clock, added, bulk, keys } = setUp();
  bulk.add(keys(100_000), 'large');
  for (let source = 0; source < 5; source += 1) bulk.add([`small/${source}`], `small-${source}`);
  await clock.advance(0);
  const small = added.slice(0, 1000).filter(([key]) => key.startsWith('small/'));
  expect(small).toHaveLength(5);
});

test('of a hundred thousand keys, no more are looked at in a turn than go in', () => {
  const { bulk, keys, drawn } = setUp();
  bulk.add(keys(100_000));
  expect(drawn.count).toBe(500);
});

test('where each key is much work, fewer go in in a turn', async () => {
  const { clock, keys } = setUp();
  const added: string[] = [];
  new BulkQueue({ add: (key) => added.push(key) }, clock, 16).add(keys(40));
  expect(added.length).toBe(16);
  await clock.advance(0);
  expect(added).toEqual([...keys(40)]);
});

test('a source that changes again and again while it is walked is walked once more, with its latest keys', async () => {
  const { clock, bulk, keys, addedKeys } = setUp();
  bulk.add(keys(600), 'client');
  bulk.add(keys(700, 600), 'other');
  bulk.add(keys(1000), 'client');
  bulk.add(keys(601), 'client');
  await clock.advance(0);
  const other = new Set(keys(700, 600));
  expect(addedKeys().filter((key) => !other.has(key))).toEqual([...keys(600), ...keys(600)]);
  expect(
    addedKeys()
      .filter((key) => other.has(key))
      .sort(),
  ).toEqual(['ns/600', ...keys(700, 600)]);
  expect(clock.pending).toBe(0);
});

test('what waits is forgotten at the end', async () => {
  const { clock, added, bulk, keys } = setUp();
  bulk.add(keys(600));
  bulk.stop();
  await clock.advance(1000);
  expect(added.length).toBe(500);
});
