import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { compareResourceVersions } from '../../../operator/api/meta.ts';
import type { CacheChange } from '../../../operator/ports/cache.ts';
import { ObjectStore } from '../../../operator/runtime/object-store.ts';
import { recordedLog } from '../../support/quiet.ts';

interface Thing {
  readonly metadata: {
    readonly name: string;
    readonly namespace: string;
    readonly uid: string;
    readonly resourceVersion: string;
    readonly creationTimestamp: string;
    readonly deletionTimestamp?: string;
  };
  readonly color: string;
}

const thing = (
  name: string,
  resourceVersion: string | number,
  more: { uid?: string; color?: string } = {},
) => ({
  metadata: {
    name,
    namespace: 'n',
    uid: more.uid ?? `uid-${name}`,
    resourceVersion: String(resourceVersion),
    creationTimestamp: '2026-01-01T00:00:00Z',
  },
  color: more.color ?? 'red',
});

const build = () => {
  const log = recordedLog();
  const store = new ObjectStore<Thing>({ log, indexers: { color: ({ color }) => [color] } });
  const changes: CacheChange<Thing>[] = [];
  store.onChange((change) => changes.push(change));
  const reported = () => changes.map(({ type, key }) => `${type} ${key}`);
  return { log, store, changes, reported };
};

/** A whole list, begun now. */
const list = (
  store: ObjectStore<Thing>,
  listed: readonly Thing[],
  resourceVersion: string,
  {
    inScope = () => true,
    meanwhile = () => undefined,
  }: { inScope?: (key: string) => boolean; meanwhile?: () => void } = {},
): boolean => {
  const pass = store.beginList(inScope);
  meanwhile();
  for (const object of listed) pass.take(object);
  return pass.finish(resourceVersion);
};
const names = (things: Iterable<Thing>) => [...things].map(({ metadata }) => metadata.name);

describe('every deletion is reported', () => {
  test.each<[string, (store: ObjectStore<Thing>) => void]>([
    ['by the watch', (store) => store.remove(thing('a', 6))],
    ['by a list', (store) => void list(store, [], '6')],
    ['by our own write', (store) => store.forget('n/a', 'uid-a')],
    ['by an object that was created again', (store) => store.apply(thing('a', 7, { uid: 'other' }))],
  ])('%s', (_name, remove) => {
    const { store } = build();
    const deleted: string[] = [];
    store.onDeleted(({ metadata }) => deleted.push(metadata.uid));
    store.apply(thing('a', 5));
    remove(store);
    expect(deleted).toEqual(['uid-a']);
  });

  test('of an object that was never known, and of one that is known as created again already', () => {
    const { store, reported } = build();
    const deleted: string[] = [];
    const end = store.onDeleted(({ metadata }) => deleted.push(metadata.uid));
    store.remove(thing('unknown', 5));
    store.putIfNewer(thing('a', 9, { uid: 'other' }));
    store.apply(thing('a', 5));
    store.remove(thing('a', 6));
    expect(deleted).toEqual(['uid-unknown', 'uid-a']);
    expect(reported()).toEqual(['set n/a']);
    end();
    store.remove(thing('a', 10, { uid: 'other' }));
    expect(deleted).toHaveLength(2);
  });
});

describe('an object store', () => {
  test('reports an object once, however often the same version of it comes', () => {
    const { store, reported } = build();
    store.apply(thing('a', 5));
    store.putIfNewer(thing('a', 5));
    expect(reported()).toEqual(['set n/a']);
  });

  test('does not go back to an older version, with resourceVersions compared as numbers', () => {
    const { store } = build();
    store.putIfNewer(thing('a', 100, { color: 'new' }));
    store.apply(thing('a', 99, { color: 'old' }));
    expect(store.get('n/a')?.color).toBe('new');
  });

  test('takes the last one reported where resourceVersions are no numbers', () => {
    const { store } = build();
    store.putIfNewer(thing('a', 'x', { color: 'first' }));
    store.apply(thing('a', 'b', { color: 'second' }));
    expect(store.get('n/a')?.color).toBe('second');
  });

  test('reports an object that was deleted and recreated between two reads as a deletion and an addition', () => {
    const { store, changes } = build();
    store.apply(thing('a', 1, { uid: 'first' }));
    store.apply(thing('a', 9, { uid: 'second' }));
    expect(changes.map(({ type }) => type)).toEqual(['set', 'delete', 'set']);
    expect(changes[2]).toMatchObject({ old: undefined });
  });

  test('ignores the late deletion of a predecessor', () => {
    const { store } = build();
    store.putIfNewer(thing('a', 9, { uid: 'second' }));
    store.remove(thing('a', 8, { uid: 'first' }));
    expect(store.get('n/a')?.metadata.uid).toBe('second');
  });

  test('removes what a whole list of its scope did not show, and nothing of another scope', () => {
    const { store } = build();
    store.apply(thing('gone', 1));
    store.apply(thing('there', 2));
    store.apply({ ...thing('x', 3), metadata: { ...thing('x', 3).metadata, namespace: 'other' } });
    expect(list(store, [thing('there', 2)], '10', { inScope: (key) => key.startsWith('n/') })).toBe(false);
    expect([...store.keys()].sort()).toEqual(['n/there', 'other/x']);
  });

  test('keeps what we wrote after the list was made', () => {
    const { store } = build();
    store.apply(thing('known', 2));
    const meanwhile = () => {
      store.putIfNewer(thing('fresh', 11));
      store.putIfNewer(thing('known', 12, { color: 'new' }));
    };
    expect(list(store, [thing('known', 2)], '10', { meanwhile })).toBe(false);
    expect(store.size).toBe(2);
    expect(store.get('n/known')?.color).toBe('new');
  });

  test('does not bring back by a list what we deleted while it was read', () => {
    const { store } = build();
    store.apply(thing('a', 1));
    expect(list(store, [thing('a', 1)], '10', { meanwhile: () => store.forget('n/a', 'uid-a') })).toBe(false);
    expect(store.size).toBe(0);
  });

  test('does not bring back what we deleted when an older event comes late', () => {
    const { store, reported } = build();
    store.apply(thing('a', 1));
    store.forget('n/a', 'uid-a');
    store.apply(thing('a', 2));
    expect(store.size).toBe(0);
    store.remove(thing('a', 3));
    expect(reported()).toEqual(['set n/a', 'delete n/a']);
  });

  test('shows what we deleted as long as a finalizer keeps it', () => {
    const { store } = build();
    store.apply(thing('a', 1));
    store.forget('n/a', 'uid-a');
    const kept = thing('a', 2);
    store.apply({
      ...kept,
      metadata: { ...kept.metadata, deletionTimestamp: '2026-01-01T00:00:00Z' },
    } as Thing);
    expect(store.size).toBe(1);
  });

  test.each([
    ['its DELETED event', (store: ObjectStore<Thing>) => store.remove(thing('a', 6))],
    ['a whole list without it', (store: ObjectStore<Thing>) => void list(store, [], '6')],
  ])('does not bring back what %s removed when the answer of an earlier write comes late', (_name, go) => {
    const { store, reported } = build();
    store.apply(thing('a', 5));
    go(store);
    store.putIfNewer(thing('a', 5));
    store.putIfNewer(thing('a', 6));
    expect(reported()).toEqual(['set n/a', 'delete n/a']);
  });

  test('does not take in what was deleted before the answer of its creation came', () => {
    const { store } = build();
    store.remove(thing('a', 6));
    store.putIfNewer(thing('a', 5));
    expect(store.size).toBe(0);
  });

  test('shows an object that left the selection and came back', () => {
    const { store } = build();
    store.apply(thing('a', 5));
    store.remove(thing('a', 6));
    store.apply(thing('a', 7));
    expect(store.get('n/a')?.metadata.resourceVersion).toBe('7');
  });

  test('remembers the newest deletion of an object that left the selection twice', () => {
    const { store } = build();
    store.remove(thing('a', 6));
    store.remove(thing('a', 4));
    store.putIfNewer(thing('a', 5));
    expect(store.size).toBe(0);
  });

  test('does not forget an object that has another UID by now', () => {
    const { store } = build();
    store.apply(thing('a', 5, { uid: 'second' }));
    store.forget('n/a', 'first');
    expect(store.size).toBe(1);
  });

  test('finds objects by index, also after they changed their value', () => {
    const { store } = build();
    store.apply(thing('a', 1));
    store.apply(thing('b', 2));
    store.apply(thing('a', 3, { color: 'blue' }));
    expect(names(store.byIndex('color', 'red'))).toEqual(['b']);
    expect(names(store.byIndex('color', 'blue'))).toEqual(['a']);
    expect(store.countByIndex('color', 'green')).toBe(0);
  });

  test('rejects an index that is not declared', () => {
    const { store } = build();
    expect(() => store.countByIndex('colour', 'red')).toThrow(RangeError);
  });

  test('freezes what it holds, to the leaves', () => {
    const { store } = build();
    store.apply(thing('a', 1));
    expect(Object.isFrozen(store.get('n/a')?.metadata)).toBe(true);
  });

  test('goes on after a handler that throws, and logs it', () => {
    const { store, log } = build();
    const seen: string[] = [];
    store.onChange(() => {
      throw new Error('bad handler');
    });
    store.onChange(({ key }) => seen.push(key));
    store.apply(thing('a', 1));
    expect(seen).toEqual(['n/a']);
    expect(log.lines).toMatchObject([{ level: 'error', fields: { key: 'n/a' } }]);
  });

  test('stops notifying a handler that unsubscribed', () => {
    const { store } = build();
    const seen: string[] = [];
    const unsubscribe = store.onChange(({ key }) => seen.push(key));
    unsubscribe();
    store.apply(thing('a', 1));
    expect(seen).toEqual([]);
  });
});

/** The history of two names as etcd has it: every write takes the next resourceVersion; a new life has a new UID. */
const history = fc.array(
  fc.record({ name: fc.constantFrom('a', 'b'), what: fc.constantFrom('write', 'delete' as const) }),
  { minLength: 1, maxLength: 20 },
);

test('write-through in any place of the history, and events in order, end in the state of the API server', () => {
  fc.assert(
    fc.property(history, fc.array(fc.integer({ min: -10, max: 10 }), { maxLength: 20 }), (steps, shifts) => {
      const live = new Map<string, Thing>();
      const events = steps.flatMap(({ name, what }, at) => {
        const rv = at + 1;
        const known = live.get(name);
        if (what === 'delete') {
          live.delete(name);
          return known ? [{ type: 'DELETED', object: thing(name, rv, known.metadata) }] : [];
        }
        const object = thing(name, rv, { uid: known?.metadata.uid ?? `u${rv}`, color: `c${rv}` });
        live.set(name, object);
        return [{ type: 'SET', object }];
      });
      const { store, changes } = build();
      events.forEach((event, at) => {
        if (event.type === 'SET') store.apply(structuredClone(event.object));
        else store.remove(structuredClone(event.object));
        // A write of ours whose answer comes before its event, or after it.
        const answered = events[at + (shifts[at] ?? 0)];
        if (answered?.type === 'SET') store.putIfNewer(structuredClone(answered.object));
      });
      // A write that was answered but deleted since is corrected by its DELETED event, which came.
      const reported = new Map<string, string>();
      for (const change of changes) {
        if (change.type === 'delete') reported.delete(change.key);
        else reported.set(change.key, change.object.color);
      }
      expect(new Map([...store.values()].map((one) => [one.metadata.name, one.color]))).toEqual(
        new Map([...live].map(([name, one]) => [name, one.color])),
      );
      expect([...reported.keys()].sort()).toEqual([...store.keys()].sort());
    }),
    { numRuns: 500 },
  );
});

test.each([
  ['equal ones', '7', '7', 0],
  ['shorter is older', '9', '10', -1],
  ['the same length compares digit by digit', '11', '10', 1],
  ['beyond what a double holds', '90071992547409931', '90071992547409930', 1],
])('resourceVersions: %s', (_name, a, b, sign) => {
  expect(Math.sign(compareResourceVersions(a, b) ?? Number.NaN)).toBe(sign);
});

test('resourceVersions that are no decimal numbers are not compared', () => {
  expect(compareResourceVersions('a1', '2')).toBeUndefined();
});

describe('a list that shows an earlier state, as after a restore of etcd', () => {
  test.each([
    ['with lower resourceVersions', '5'],
    ['with a raised one (etcdutl snapshot restore --bump-revision)', '1000'],
  ])('%s, is what the store has in the end', (_name, resourceVersion) => {
    const { store, reported } = build();
    store.apply(thing('same', 1));
    store.apply(thing('changed', 9, { color: 'later' }));
    store.putIfNewer(thing('written', 10));
    store.apply(thing('created', 8));
    store.apply(thing('deleted', 3));
    store.remove(thing('deleted', 7));
    store.apply(thing('deleted-by-us', 4));
    store.forget('n/deleted-by-us', 'uid-deleted-by-us');
    store.apply(thing('again', 11, { uid: 'second' }));
    const listed = [
      thing('same', 1),
      thing('changed', 2, { color: 'before' }),
      thing('deleted', 3),
      thing('deleted-by-us', 4),
      thing('again', 2, { uid: 'first' }),
    ];
    const from = reported().length;
    expect(list(store, listed, resourceVersion)).toBe(true);
    const stored = [...store.values()].map(({ metadata, color }) => [metadata.uid, color]);
    expect(stored.sort()).toEqual(listed.map(({ metadata, color }) => [metadata.uid, color]).sort());
    // What did not change is not reported.
    expect(reported().slice(from)).not.toContain('set n/same');
  });

  test('leaves what we write while it is read', () => {
    const { store } = build();
    store.apply(thing('a', 90));
    const meanwhile = () => store.putIfNewer(thing('new', 7));
    expect(list(store, [thing('a', 2)], '6', { meanwhile })).toBe(true);
    expect([...store.values()].map(({ metadata }) => metadata.resourceVersion).sort()).toEqual(['2', '7']);
  });

  test('is followed by events that are older than what was known', () => {
    const { store } = build();
    store.apply(thing('a', 90));
    list(store, [thing('a', 2)], '6');
    store.apply(thing('a', 7, { color: 'after' }));
    expect(store.get('n/a')?.color).toBe('after');
  });

  test('does not show where versions are no numbers: the last one wins, as ever', () => {
    const { store } = build();
    store.apply(thing('a', 'x', { color: 'later' }));
    expect(list(store, [thing('a', 'y', { color: 'before' })], 'z')).toBe(false);
    expect(store.get('n/a')?.color).toBe('before');
  });

  test('ends for the store also when it breaks off', () => {
    const { store } = build();
    store.apply(thing('a', 5));
    const pass = store.beginList(() => true);
    pass.take(thing('a', 5));
    pass.end();
    expect(list(store, [], '6')).toBe(false);
    expect(store.size).toBe(0);
  });
});
