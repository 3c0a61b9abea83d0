import type { Clock } from '../../ports/clock.ts';
import type { Connection } from './connection.ts';
import type { ConnectionTable } from './connection-table.ts';

export interface ByteBudgetOptions {
  /** Bytes that all connections together may take. */
  readonly limit: number;
  readonly connections: Pick<ConnectionTable, 'heaviest' | 'shed'>;
  readonly clock: Clock;
}

/** Interval at which connections are measured that can't be counted exactly. */
const MEASURE_MS = 100;

/**
 * The bytes that a process keeps for its peers: of requests that have not arrived in full, and of responses that have not been
 * read. Where they exceed the budget, the connections with the most of them are closed, those without an authenticated caller first.
 */
export class ByteBudget {
  readonly #options: ByteBudgetOptions;
  readonly #measured = new Map<Connection, () => number>();
  #bytes = 0;
  #isMeasuring = false;

  constructor(options: ByteBudgetOptions) {
    this.#options = options;
  }

  /** Whether more than half is taken: then each connection should take less. */
  get isScarce(): boolean {
    return this.#bytes > this.#options.limit / 2;
  }

  /** Takes bytes for a connection, or gives them back if `bytes` is negative. False where they exceed the budget, or the connection was closed for it. */
  take(connection: Connection, bytes: number): boolean {
    this.#bytes += connection.hold(bytes);
    if (bytes > 0 && this.#bytes > this.#options.limit) this.#makeRoom();
    return connection.isOpen && this.#bytes <= this.#options.limit;
  }

  /** Measures what a connection keeps every 100 ms, until it is forgotten. */
  watch(connection: Connection, measure: () => number): void {
    this.#measured.set(connection, measure);
    this.#measureLater();
  }

  /** The connection has ended; what it kept is free. */
  forget(connection: Connection): void {
    this.#measured.delete(connection);
    this.#bytes -= connection.releaseAll();
  }

  #measureLater(): void {
    if (this.#isMeasuring || this.#measured.size === 0) return;
    this.#isMeasuring = true;
    this.#options.clock.after(MEASURE_MS, () => {
      this.#isMeasuring = false;
      for (const [connection, measure] of this.#measured) {
        this.#bytes += connection.hold(measure() - connection.heldBytes);
      }
      if (this.#bytes > this.#options.limit) this.#makeRoom();
      this.#measureLater();
    });
  }

  #makeRoom(): void {
    const { connections, limit } = this.#options;
    while (this.#bytes > limit) {
      const heaviest = connections.heaviest();
      if (!heaviest) return;
      connections.shed(heaviest, 'bytes');
    }
  }
}
