import type { Indexers } from '../ports/cache.ts';

/** No key, one by itself (a Set for each would take more than all that it is for), or several. */
type Keys = string | ReadonlySet<string> | undefined;

/** The keys that the values of one index lead to. */
type Values = Map<string, string | Set<string>>;

/** Which keys each index function's values lead to. */
export class KeyIndex<T> {
  readonly #indexers: Indexers<T>;
  readonly #byIndex = new Map<string, Values>();

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
  keys(index: string, value: string): Keys {
    const values = this.#byIndex.get(index);
    if (!values) throw new RangeError(`no index named ${JSON.stringify(index)}`);
    return values.get(value);
  }
}

const addTo = (values: Values, value: string, key: string): void => {
  const keys = values.get(value);
  if (keys === undefined) values.set(value, key);
  else if (typeof keys !== 'string') keys.add(key);
  else if (keys !== key) values.set(value, new Set([keys, key]));
};

const removeFrom = (values: Values, value: string, key: string): void => {
  const keys = values.get(value);
  if (keys === key) values.delete(value);
  if (keys === undefined || typeof keys === 'string') return;
  keys.delete(key);
  if (keys.size === 0) values.delete(value);
};
