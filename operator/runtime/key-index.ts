import type { Indexers } from '../ports/cache.ts';

/** Which keys each index function's values lead to. */
export class KeyIndex<T> {
  readonly #indexers: Indexers<T>;
  readonly #byIndex = new Map<string, Map<string, Set<string>>>();

  constructor(indexers: Indexers<T>) {
    this.#indexers = indexers;
    for (const name of Object.keys(indexers)) this.#byIndex.set(name, new Map());
  }

  /** Moves `key` from the values of `old` to those of `object`; either may be absent. */
  move(key: string, old: T | undefined, object: T | undefined): void {
    for (const [name, values] of this.#byIndex) {
      const indexer = this.#indexers[name];
      if (!indexer) continue;
      const before = old === undefined ? [] : indexer(old);
      const after = object === undefined ? [] : indexer(object);
      for (const value of before) if (!after.includes(value)) removeFrom(values, value, key);
      for (const value of after) addTo(values, value, key);
    }
  }

  /** @throws RangeError for an index that was not declared: a misspelt name would find nothing, for ever. */
  keys(index: string, value: string): ReadonlySet<string> {
    const values = this.#byIndex.get(index);
    if (!values) throw new RangeError(`no index named ${JSON.stringify(index)}`);
    return values.get(value) ?? NONE;
  }
}

const NONE: ReadonlySet<string> = new Set();

const addTo = (values: Map<string, Set<string>>, value: string, key: string): void => {
  const keys = values.get(value);
  if (keys) keys.add(key);
  else values.set(value, new Set([key]));
};

const removeFrom = (values: Map<string, Set<string>>, value: string, key: string): void => {
  const keys = values.get(value);
  keys?.delete(key);
  if (keys?.size === 0) values.delete(value);
};
