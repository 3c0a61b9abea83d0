import { beforeEach, expect, test } from '@jest/globals';
import type { ObjectMeta } from '../../../operator/api/meta.ts';
import type { CacheChange } from '../../../operator/ports/cache.ts';
import { ObjectStore } from '../../../operator/runtime/object-store.ts';
import { uniteCaches } from '../../../operator/runtime/united-cache.ts';
import { recordedLog } from '../../support/quiet.ts';

interface Item {
  readonly metadata: ObjectMeta;
}

const indexers = { label: ({ metadata }: Item) => Object.keys(metadata.labels ?? {}) };
const item = (name: string, version: number, label?: string): Item => ({
  metadata: {
    name,
    namespace: 'n',
    uid: name,
    resourceVersion: String(version),
    creationTimestamp: '',
    ...(label !== undefined && { labels: { [label]: '', any: '' } }),
  },
});

let first: ObjectStore<Item>;
let second: ObjectStore<Item>;
let united: ReturnType<typeof uniteCaches<Item>>;
beforeEach(() => {
  const log = recordedLog();
  first = new ObjectStore<Item>({ log, indexers });
  second = new ObjectStore<Item>({ log, indexers });
  united = uniteCaches({
    first,
    second,
    cacheOf: ({ metadata: { labels = {} } }) =>
      'a' in labels ? 'first' : 'b' in labels ? 'second' : undefined,
  });
});

const versions = (items: Iterable<Item>) =>
  [...items].map(({ metadata }) => `${metadata.name} ${metadata.resourceVersion}`);

test('has the objects of both, and is synced when both are', () => {
  first.apply(item('x', 1, 'a'));
  second.apply(item('y', 2, 'b'));
  expect([...united.keys()]).toEqual(['n/x', 'n/y']);
  expect(versions(united.values())).toEqual(['x 1', 'y 2']);
  expect(versions(united.byIndex('label', 'any'))).toEqual(['x 1', 'y 2']);
  expect(united.countByIndex('label', 'b')).toBe(1);
  expect(united.size).toBe(2);
  first.markSynced();
  expect(united.synced).toBe(false);
  second.markSynced();
  expect(united.synced).toBe(true);
});

test('puts an object where its watch is, and one that no watch would remove nowhere', () => {
  for (const object of [item('x', 1, 'a'), item('y', 1, 'b'), item('z', 1)]) united.putIfNewer(object);
  expect([[...first.keys()], [...second.keys()]]).toEqual([['n/x'], ['n/y']]);
});

test.each([
  ['to the first', 'b', 'a'],
  ['to the second', 'a', 'b'],
])(
  'of an object that moved %s the newer counts, once, until the other watch has removed it',
  (_, from, to) => {
    const cache = (label: string) => (label === 'a' ? first : second);
    cache(from).apply(item('x', 1, from));
    const changes: CacheChange<Item>[] = [];
    const stop = united.onChange((change) => changes.push(change));
    united.putIfNewer(item('x', 2, to));
    expect(versions([united.get('n/x')].filter((found) => found !== undefined))).toEqual(['x 2']);
    expect(versions(united.values())).toEqual(['x 2']);
    expect([...united.keys()]).toEqual(['n/x']);
    expect(versions(united.byIndex('label', 'any'))).toEqual(['x 2']);
    expect(united.countByIndex('label', from)).toBe(0);
    cache(from).remove(item('x', 2, to));
    expect(versions(united.values())).toEqual(['x 2']);
    expect(changes.map(({ type, key }) => `${type} ${key}`)).toEqual(['set n/x', 'delete n/x']);
    stop();
    united.forget('n/x', 'x');
    expect(united.get('n/x')).toBeUndefined();
    expect(changes).toHaveLength(2);
  },
);
