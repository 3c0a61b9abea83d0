interface Entry {
  readonly key: string;
  readonly due: number;
}

/** Keys that become due later, each once with its earliest time: a binary heap, O(log n) for each call. */
export class DelayedKeys {
  readonly #due = new Map<string, Entry>();
  #heap: Entry[] = [];

  get size(): number {
    return this.#due.size;
  }

  /** The earliest time at which a key is due. */
  get next(): number | undefined {
    this.#dropStale();
    return this.#heap[0]?.due;
  }

  /** Keeps the earlier of the two where the key waits already. */
  add(key: string, due: number): void {
    const known = this.#due.get(key);
    if (known && known.due <= due) return;
    const entry = { key, due };
    this.#due.set(key, entry);
    this.#heap.push(entry);
    this.#up(this.#heap.length - 1);
    if (this.#heap.length > 2 * this.#due.size + 64) this.#rebuild();
  }

  delete(key: string): void {
    this.#due.delete(key);
    if (this.#heap.length > 2 * this.#due.size + 64) this.#rebuild();
  }

  clear(): void {
    this.#due.clear();
    this.#heap = [];
  }

  /** Takes out one key that is due at `now`. */
  takeDue(now: number): Entry | undefined {
    this.#dropStale();
    const first = this.#heap[0];
    if (!first || first.due > now) return undefined;
    this.#pop();
    this.#due.delete(first.key);
    return first;
  }

  #dropStale(): void {
    for (let first = this.#heap[0]; first && this.#due.get(first.key) !== first; first = this.#heap[0])
      this.#pop();
  }

  #rebuild(): void {
    // A sorted array is a heap.
    this.#heap = [...this.#due.values()].sort((a, b) => a.due - b.due);
  }

  #pop(): void {
    const last = this.#heap.pop();
    if (last === undefined || this.#heap.length === 0) return;
    this.#heap[0] = last;
    this.#down(0);
  }

  #up(start: number): void {
    for (let at = start; at > 0; ) {
      const parent = (at - 1) >> 1;
      if (!this.#swapIfEarlier(at, parent)) return;
      at = parent;
    }
  }

  #down(start: number): void {
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
