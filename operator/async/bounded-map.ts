/**
 * A map of at most `limit` entries: a new one beyond that evicts the oldest. {@link BoundedMap.set} makes an entry the newest,
 * {@link BoundedMap.get} leaves the order as it is: eviction is first in, first out, or least recently used for a caller that
 * sets what it has used.
 */
export class BoundedMap<K, V> {
  readonly #entries = new Map<K, V>();
  readonly #limit: number;
  /**
   * Stands before the oldest entry while nothing but evictions removes entries: a new iterator steps over every entry that was
   * removed since the map last grew, which costs 2 µs at 8,192 entries. Dropped at any other removal, since V8 keeps for an
   * iterator that rests each hash table that the map has outgrown.
   */
  #oldest: IterableIterator<K> | undefined;

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
    this.delete(key);
    entries.set(key, value);
    if (entries.size <= this.#limit) return;
    this.#oldest ??= entries.keys();
    const oldest = this.#oldest.next();
    if (!oldest.done) entries.delete(oldest.value);
  }

  delete(key: K): void {
    if (this.#entries.delete(key)) this.#oldest = undefined;
  }

  clear(): void {
    this.#entries.clear();
    this.#oldest = undefined;
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
