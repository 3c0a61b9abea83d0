/** A first-in first-out list with O(1) at both ends (`Array.shift` copies the rest). */
export class Fifo<T> {
  #items: T[] = [];
  #head = 0;

  get size(): number {
    return this.#items.length - this.#head;
  }

  push(item: T): void {
    this.#items.push(item);
  }

  shift(): T | undefined {
    if (this.#head === this.#items.length) return undefined;
    const item = this.#items[this.#head++];
    if (this.#head > 1024 && this.#head * 2 > this.#items.length) this.keep(() => true);
    return item;
  }

  /** Drops every item that `wanted` does not hold on to. */
  keep(wanted: (item: T) => boolean): void {
    this.#items = this.#items.slice(this.#head).filter(wanted);
    this.#head = 0;
  }
}
