import { Fifo } from '../async/fifo.ts';

/** How urgent a key is: somebody waits (`high`), the usual, or it can wait (`low`: resyncs, first lists). */
export type Priority = 'high' | 'normal' | 'low';

/** A key that is due. */
export interface Ticket {
  readonly key: string;
  readonly priority: Priority;
  readonly since: number;
}

const RANK: Readonly<Record<Priority, number>> = { high: 0, normal: 1, low: 2 };

/** One turn in four begins with `normal`, one in sixteen with `low`, so that nobody starves. */
const TURNS = 16;
const orderOf = (turn: number): readonly Priority[] => {
  if (turn % TURNS === TURNS - 1) return ['low', 'high', 'normal'];
  if (turn % 4 === 3) return ['normal', 'high', 'low'];
  return ['high', 'normal', 'low'];
};

/** Keys that are due, each once, in order of arrival within their priority. Adding one again with a higher priority moves it up. */
export class ReadyKeys {
  readonly #tickets = new Map<string, Ticket>();
  readonly #lanes: Readonly<Record<Priority, Fifo<Ticket>>> = {
    high: new Fifo(),
    normal: new Fifo(),
    low: new Fifo(),
  };
  #turn = 0;

  get size(): number {
    return this.#tickets.size;
  }

  /** `since`: when it became due, for the wait metric. */
  add(key: string, priority: Priority, since: number): void {
    const known = this.#tickets.get(key);
    if (known && RANK[known.priority] <= RANK[priority]) return;
    const ticket = { key, priority, since: known?.since ?? since };
    this.#tickets.set(key, ticket);
    const lane = this.#lanes[priority];
    lane.push(ticket);
    if (lane.size > 2 * this.#tickets.size + 64) lane.keep((item) => this.#isLive(item));
  }

  /** The next key, or undefined where none is due; without `mayLow` none of low priority. */
  take(mayLow = true): Ticket | undefined {
    if (this.#tickets.size === 0) return undefined;
    for (const priority of orderOf(this.#turn++)) {
      if (priority === 'low' && !mayLow) continue;
      const lane = this.#lanes[priority];
      for (let ticket = lane.shift(); ticket; ticket = lane.shift()) {
        if (!this.#isLive(ticket)) continue;
        this.#tickets.delete(ticket.key);
        return ticket;
      }
    }
    return undefined;
  }

  clear(): void {
    this.#tickets.clear();
    for (const lane of Object.values(this.#lanes)) lane.keep(() => false);
  }

  /** A ticket that was moved up, or handed out, leaves its old place in a lane behind. */
  #isLive(ticket: Ticket): boolean {
    return this.#tickets.get(ticket.key) === ticket;
  }
}
