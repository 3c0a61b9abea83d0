import { cacheKeyOf, isOlder } from '../api/meta.ts';
import type { Cacheable, WritableCache } from '../ports/cache.ts';

export interface UnitedCacheOptions<T> {
  readonly first: WritableCache<T>;
  readonly second: WritableCache<T>;
  /** Which of the two watches the object; undefined: neither, so that it is not kept. */
  readonly cacheOf: (object: T) => 'first' | 'second' | undefined;
}

/** An object that moves between the two may be in both until both watches have shown it. */
const newerOf = <T extends Cacheable>(a: T | undefined, b: T | undefined): T | undefined => {
  if (a === undefined || b === undefined) return a ?? b;
  return isOlder(a.metadata.resourceVersion, b.metadata.resourceVersion) ? b : a;
};

/**
 * Two caches of one type, whose selections exclude each other, as one. Each object is there once, and the newer of two counts. A move
 * from one to the other is reported as a change and a deletion in any order.
 */
export const uniteCaches = <T extends Cacheable>({
  first,
  second,
  cacheOf,
}: UnitedCacheOptions<T>): WritableCache<T> => {
  const get = (key: string): T | undefined => newerOf(first.get(key), second.get(key));
  function* keys(): IterableIterator<string> {
    yield* first.keys();
    for (const key of second.keys()) if (first.get(key) === undefined) yield key;
  }
  function* newest(objects: Iterable<T>): IterableIterator<T> {
    for (const object of objects) if (get(cacheKeyOf(object)) === object) yield object;
  }
  function* both(objectsOf: (cache: WritableCache<T>) => Iterable<T>): IterableIterator<T> {
    yield* newest(objectsOf(first));
    yield* newest(objectsOf(second));
  }
  const byIndex = (index: string, value: string): IterableIterator<T> =>
    both((cache) => cache.byIndex(index, value));
  return {
    get,
    keys,
    values: () => both((cache) => cache.values()),
    byIndex,
    countByIndex: (index, value) => [...byIndex(index, value)].length,
    get size() {
      return [...keys()].length;
    },
    get synced() {
      return first.synced && second.synced;
    },
    onChange: (handler) => {
      const stops = [first.onChange(handler), second.onChange(handler)];
      return () => {
        for (const stop of stops) stop();
      };
    },
    putIfNewer: (object) => {
      const name = cacheOf(object);
      if (name !== undefined) (name === 'first' ? first : second).putIfNewer(object);
    },
    forget: (key, uid) => {
      first.forget(key, uid);
      second.forget(key, uid);
    },
  };
};
