/**
 * A map of at most `limit` entries: a new one beyond that evicts the oldest. {@link BoundedMap.set} makes an entry the newest,
 * {@link BoundedMap.get} leaves the order as it is: eviction is first in, first out, or least recently used for a caller that
 * sets what it has used.
 */
export class BoundedMap<K, V> {
  readonly #entries = new Map<K, V>();
  readonly #limit: number;
  /**
   * Stands before the oldest entry: all that it has passed are evicted. A new iterator would step over every entry that was deleted
   * since the map last grew, which costs 2 µs at 8,192 entries.
   */
  readonly #oldest = this.#entries.keys();

  constructor(limit: number) {
    this.#limit = limit;
  }

  get size(): number {
    return this.#entries.size;
  }

  get(key: K): V | undefined {
    return this.#entries.get(key);
  }

  has(key: K): boolean {
    return this.#entries.has(key);
  }

  /** Keys, the oldest first. */
  keys(): IterableIterator<K> {
    return this.#entries.keys();
  }

  set(key: K, value: V): void {
    const entries = this.#entries;
    entries.delete(key);
    entries.set(key, value);
    if (entries.size <= this.#limit) return;
    const oldest = this.#oldest.next();
    if (!oldest.done) entries.delete(oldest.value);
  }

  delete(key: K): void {
    this.#entries.delete(key);
  }

  clear(): void {
    this.#entries.clear();
  }
}

/** Texts that one function caches, some 500 bytes each. */
const MAX_CACHED = 8192;

/** The same function, but it caches its result for frozen objects, by identity: they never change. Other objects are not cached. */
export const memoizeFrozen = <T extends object>(format: (source: T) => string): ((source: T) => string) => {
  const texts = new BoundedMap<T, string>(MAX_CACHED);
  return (source) => {
    const known = texts.get(source);
    if (known !== undefined) return known;
    const text = format(source);
    if (Object.isFrozen(source)) texts.set(source, text);
    return text;
  };
};
