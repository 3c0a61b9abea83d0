/** What a {@link FairCache} holds at most. */
interface FairCacheLimits {
  readonly entries: number;
  /** Of all groups together, an entry that several groups use counting for each. */
  readonly uses: number;
}

interface Entry<V> {
  readonly value: V;
  users: number;
}

/**
 * A cache whose entries groups share. Beyond a limit the group that uses the most entries loses the one that it used least recently, so
 * that no group, however many entries it causes, evicts what another one uses of its share. An entry that no group uses any more goes.
 */
export class FairCache<V> {
  readonly #limits: FairCacheLimits;
  readonly #entries = new Map<string, Entry<V>>();
  /** The keys that each group uses; groups and keys in the order of their last use. */
  readonly #usedBy = new Map<string, Set<string>>();
  #uses = 0;

  constructor(limits: FairCacheLimits) {
    this.#limits = limits;
  }

  /** The value of a key, made if there is none. */
  use(group: string, key: string, make: () => V): V {
    const entry = this.#entries.get(key) ?? { value: make(), users: 0 };
    this.#entries.set(key, entry);
    const keys = this.#usedBy.get(group) ?? new Set();
    if (!keys.delete(key)) {
      entry.users += 1;
      this.#uses += 1;
    }
    keys.add(key);
    this.#usedBy.delete(group);
    this.#usedBy.set(group, keys);
    while (this.#entries.size > this.#limits.entries || this.#uses > this.#limits.uses) this.#evict();
    return entry.value;
  }

  /** Of several groups that use the most, the least recent one loses. */
  #evict(): void {
    let most: readonly [string, Set<string>] | undefined;
    for (const used of this.#usedBy) if (most === undefined || used[1].size > most[1].size) most = used;
    const [group, keys] = most ?? [];
    const [key] = keys ?? [];
    if (group === undefined || keys === undefined || key === undefined) return;
    keys.delete(key);
    if (keys.size === 0) this.#usedBy.delete(group);
    this.#uses -= 1;
    const entry = this.#entries.get(key);
    if (entry === undefined) return;
    entry.users -= 1;
    if (entry.users === 0) this.#entries.delete(key);
  }
}
