/** A value's place in a {@link LinkedList}. */
export interface Link<T> {
  readonly value: T;
}

interface Node<T> extends Link<T> {
  before: Node<T> | undefined;
  after: Node<T> | undefined;
}

/** A doubly linked list: adds at its end and removes anywhere at the same cost, however long it is. */
export class LinkedList<T> {
  #first: Node<T> | undefined;
  #last: Node<T> | undefined;

  get first(): Link<T> | undefined {
    return this.#first;
  }

  get last(): Link<T> | undefined {
    return this.#last;
  }

  push(value: T): Link<T> {
    const node: Node<T> = { value, before: this.#last, after: undefined };
    if (this.#last) this.#last.after = node;
    else this.#first = node;
    this.#last = node;
    return node;
  }

  /** Removes a link of this list. A link that was removed must not be removed again. */
  remove(link: Link<T>): void {
    const { before, after } = link as Node<T>;
    if (before) before.after = after;
    else this.#first = after;
    if (after) after.before = before;
    else this.#last = before;
  }

  /** From the first to the last; the list must not change meanwhile. */
  *[Symbol.iterator](): Generator<T> {
    for (let node = this.#first; node; node = node.after) yield node.value;
  }
}
