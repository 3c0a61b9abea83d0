import { FairQueue, type QueuedItem } from '../async/fair-queue.ts';

/** How urgent a key is: `high` for what a user waits for, such as a revocation; `low` for what can wait, such as resyncs and first lists. */
export type Priority = 'high' | 'normal' | 'low';

/** A key that is due. */
interface ReadyKey {
  readonly key: string;
  readonly priority: Priority;
  /** When it became due, in milliseconds since the Unix epoch. */
  readonly since: number;
}

const RANK: Readonly<Record<Priority, number>> = { high: 0, normal: 1, low: 2 };

/** One take in four prefers `normal`, one in sixteen `low`, so that no priority starves. */
const CYCLE = 16;
const orderOf = (take: number): readonly Priority[] => {
  if (take % CYCLE === CYCLE - 1) return ['low', 'high', 'normal'];
  if (take % 4 === 3) return ['normal', 'high', 'low'];
  return ['high', 'normal', 'low'];
};

/** The namespace of a key `<namespace>/<name>`; '' if it has none. */
export const namespaceOf = (key: string): string => {
  const slash = key.indexOf('/');
  return slash === -1 ? '' : key.slice(0, slash);
};

/** Every key is queued once, and there are as many as objects in the cache. */
const UNLIMITED = { total: Number.POSITIVE_INFINITY, perGroup: Number.POSITIVE_INFINITY };

interface Waiting {
  readonly ready: ReadyKey;
  readonly queued: QueuedItem<ReadyKey>;
}

/**
 * Keys that are due, each once. Within a priority namespaces take turns, and the keys of a namespace go in order of arrival: a key
 * waits for at most one of each other namespace beside those of its namespace. Adding one again with a higher priority moves it up.
 */
export class ReadyKeys {
  readonly #waiting = new Map<string, Waiting>();
  readonly #byPriority: Readonly<Record<Priority, FairQueue<ReadyKey>>> = {
    high: new FairQueue(UNLIMITED),
    normal: new FairQueue(UNLIMITED),
    low: new FairQueue(UNLIMITED),
  };
  #takes = 0;

  get size(): number {
    return this.#waiting.size;
  }

  /** `since`: when the key became due, in milliseconds since the Unix epoch. */
  add(key: string, priority: Priority, since: number): void {
    const known = this.#waiting.get(key);
    if (known && RANK[known.ready.priority] <= RANK[priority]) return;
    if (known) this.#byPriority[known.ready.priority].remove(known.queued);
    const ready = { key, priority, since: known?.ready.since ?? since };
    const { queued } = this.#byPriority[priority].push({ group: namespaceOf(key), member: '' }, ready);
    this.#waiting.set(key, { ready, queued });
  }

  /** Removes and returns the next key; undefined if none is due. With `allowLow` false none of low priority, and none of a namespace that `isHeld` names. */
  take(allowLow = true, isHeld?: (namespace: string) => boolean): ReadyKey | undefined {
    if (this.size === 0) return undefined;
    for (const priority of orderOf(this.#takes++)) {
      if (priority === 'low' && !allowLow) continue;
      const next = this.#byPriority[priority].shift(isHeld)?.item;
      if (next === undefined) continue;
      this.#waiting.delete(next.key);
      return next;
    }
    return undefined;
  }

  clear(): void {
    for (const { ready, queued } of this.#waiting.values()) this.#byPriority[ready.priority].remove(queued);
    this.#waiting.clear();
  }
}

/** A key that becomes due at a time, in milliseconds since the Unix epoch. */
interface DelayedKey {
  readonly key: string;
  readonly due: number;
}

/** Keys that become due later, each once with its earliest time: a binary heap, O(log n) for each call. */
export class DelayedKeys {
  readonly #entries = new Map<string, DelayedKey>();
  #heap: DelayedKey[] = [];

  get size(): number {
    return this.#entries.size;
  }

  /** The earliest time at which a key becomes due, in milliseconds since the Unix epoch. */
  get next(): number | undefined {
    this.#dropStale();
    return this.#heap[0]?.due;
  }

  /** Adds a key; the earlier time counts if it is there already. */
  add(key: string, due: number): void {
    const known = this.#entries.get(key);
    if (known && known.due <= due) return;
    const entry = { key, due };
    this.#entries.set(key, entry);
    this.#heap.push(entry);
    this.#moveUp(this.#heap.length - 1);
    this.#rebuildIfStale();
  }

  delete(key: string): void {
    this.#entries.delete(key);
    this.#rebuildIfStale();
  }

  clear(): void {
    this.#entries.clear();
    this.#heap = [];
  }

  /** Removes and returns one key that is due at `now`; undefined if none is. */
  takeDue(now: number): DelayedKey | undefined {
    this.#dropStale();
    const first = this.#heap[0];
    if (!first || first.due > now) return undefined;
    this.#pop();
    this.#entries.delete(first.key);
    return first;
  }

  #dropStale(): void {
    for (let first = this.#heap[0]; first && this.#entries.get(first.key) !== first; first = this.#heap[0])
      this.#pop();
  }

  #rebuildIfStale(): void {
    if (this.#heap.length <= 2 * this.#entries.size + 64) return;
    // A sorted array is a heap.
    this.#heap = [...this.#entries.values()].sort((a, b) => a.due - b.due);
  }

  #pop(): void {
    const last = this.#heap.pop();
    if (last === undefined || this.#heap.length === 0) return;
    this.#heap[0] = last;
    this.#moveDown(0);
  }

  #moveUp(start: number): void {
    for (let at = start; at > 0; ) {
      const parent = (at - 1) >> 1;
      if (!this.#swapIfEarlier(at, parent)) return;
      at = parent;
    }
  }

  #moveDown(start: number): void {
    for (let at = start; ; ) {
      const left = 2 * at + 1;
      const child = this.#dueAt(left + 1) < this.#dueAt(left) ? left + 1 : left;
      if (!this.#swapIfEarlier(child, at)) return;
      at = child;
    }
  }

  #dueAt(at: number): number {
    return this.#heap[at]?.due ?? Number.POSITIVE_INFINITY;
  }

  #swapIfEarlier(lower: number, upper: number): boolean {
    const [below, above] = [this.#heap[lower], this.#heap[upper]];
    if (!below || !above || below.due >= above.due) return false;
    this.#heap[upper] = below;
    this.#heap[lower] = above;
    return true;
  }
}
