/** For whom something waits: groups take turns, and the members of a group take turns with its turns. */
export interface FairKey {
  readonly group: string;
  readonly member: string;
}

/** The most that may wait. */
export interface FairQueueLimits {
  readonly total: number;
  readonly perGroup: number;
}

/** Work that waits in a {@link FairQueue}: lets it start, or rejects it. */
export interface Waiter {
  readonly start: () => void;
  readonly reject: (error: Error) => void;
}

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

/** What takes turns with others of its kind. */
interface Part {
  readonly key: string;
  /** How many items wait in it. */
  size: number;
  turn: Link<this> | undefined;
}

/** Parts that wait, in the order of their turns, and by size. One that becomes empty is forgotten. */
class Rotation<P extends Part> {
  readonly #byKey = new Map<string, P>();
  readonly #turns = new LinkedList<P>();
  readonly #bySize = new Map<number, Set<P>>();
  #longest = 0;

  get(key: string): P | undefined {
    return this.#byKey.get(key);
  }

  /** An item was added; a part that was empty gets the last turn. */
  grown(part: P): void {
    if (part.size === 0) {
      this.#byKey.set(part.key, part);
      part.turn = this.#turns.push(part);
    }
    this.#resize(part, part.size + 1);
  }

  /** An item was removed. */
  shrunk(part: P): void {
    this.#resize(part, part.size - 1);
    if (part.size > 0) return;
    this.#byKey.delete(part.key);
    if (part.turn) this.#turns.remove(part.turn);
  }

  /** The part whose turn it is, of those that `isHeld` does not name. */
  next(isHeld?: (key: string) => boolean): P | undefined {
    for (const part of this.#turns) if (!isHeld?.(part.key)) return part;
    return undefined;
  }

  /** The part has had its turn; its next one comes after those of all others. */
  served(part: P): void {
    if (part.turn) this.#turns.remove(part.turn);
    part.turn = this.#turns.push(part);
  }

  /** The part with the most items; `own` if no other has more. */
  longest(own: P | undefined): P | undefined {
    const [first] = this.#bySize.get(this.#longest) ?? [];
    return own?.size === this.#longest ? own : first;
  }

  #resize(part: P, size: number): void {
    const before = this.#bySize.get(part.size);
    before?.delete(part);
    if (before?.size === 0) this.#bySize.delete(part.size);
    part.size = size;
    if (size > 0) {
      const others = this.#bySize.get(size);
      if (others) others.add(part);
      else this.#bySize.set(size, new Set([part]));
    }
    // Sizes change by one: where the longest part has shrunk, it is still as long as any other.
    if (size > this.#longest || !this.#bySize.has(this.#longest)) this.#longest = size;
  }
}

/** The items of one member of a group, in the order of their arrival. */
interface Line<T> extends Part {
  readonly entries: LinkedList<QueuedItem<T>>;
}

interface Group<T> extends Part {
  readonly lines: Rotation<Line<T>>;
}

/** An item that waits in a {@link FairQueue}. */
export interface QueuedItem<T> {
  readonly item: T;
  readonly group: string;
}

interface Entry<T> extends QueuedItem<T> {
  readonly inGroup: Group<T>;
  readonly line: Line<T>;
  link: Link<QueuedItem<T>> | undefined;
}

/**
 * A queue in which no group waits behind the backlog of another one: groups take turns, so do the members within a group, and the
 * items of a member go in the order of their arrival. Until a group has its turn, every other group has at most one. Beyond a limit
 * the newest item of the longest line leaves, whoever came last. Each operation takes constant time; an empty line takes no memory.
 */
export class FairQueue<T> {
  readonly #limits: FairQueueLimits;
  readonly #groups = new Rotation<Group<T>>();
  /** How many items wait; only the queue itself changes it. */
  size = 0;

  constructor(limits: FairQueueLimits) {
    this.#limits = limits;
  }

  /** Adds an item. Beyond a limit one item is dropped, which may be this one. */
  push(
    key: FairKey,
    item: T,
  ): { readonly queued: QueuedItem<T>; readonly dropped: QueuedItem<T> | undefined } {
    const group = this.#groups.get(key.group) ?? newGroup<T>(key.group);
    const line = group.lines.get(key.member) ?? newLine<T>(key.member);
    const entry: Entry<T> = { item, group: key.group, inGroup: group, line, link: undefined };
    entry.link = line.entries.push(entry);
    group.lines.grown(line);
    this.#groups.grown(group);
    this.size += 1;
    return { queued: entry, dropped: this.#dropBeyondLimit(entry) };
  }

  /** Removes the item whose turn it is; groups that `isHeld` names keep their turn for later. Undefined if there is none. */
  shift(isHeld?: (group: string) => boolean): QueuedItem<T> | undefined {
    const group = this.#groups.next(isHeld);
    const line = group?.lines.next();
    const queued = line?.entries.first?.value;
    if (group === undefined || line === undefined || queued === undefined) return undefined;
    this.remove(queued);
    if (line.size > 0) group.lines.served(line);
    if (group.size > 0) this.#groups.served(group);
    return queued;
  }

  /** Removes an item before its turn. One that is no longer in the queue must not be removed. */
  remove(queued: QueuedItem<T>): void {
    const { inGroup, line, link } = queued as Entry<T>;
    if (link === undefined) return;
    line.entries.remove(link);
    inGroup.lines.shrunk(line);
    this.#groups.shrunk(inGroup);
    this.size -= 1;
  }

  #dropBeyondLimit(entry: Entry<T>): QueuedItem<T> | undefined {
    const { total, perGroup } = this.#limits;
    const own = entry.inGroup;
    if (own.size <= perGroup && this.size <= total) return undefined;
    const group = own.size > perGroup ? own : this.#groups.longest(own);
    const newest = group?.lines.longest(group === own ? entry.line : undefined)?.entries.last?.value;
    if (newest) this.remove(newest);
    return newest;
  }
}

const newLine = <T>(key: string): Line<T> => ({ key, size: 0, turn: undefined, entries: new LinkedList() });

const newGroup = <T>(key: string): Group<T> => ({ key, size: 0, turn: undefined, lines: new Rotation() });
