import { KeyedLimit, once } from '../../async/keyed-limit.ts';
import type { Connection } from './connection.ts';

export interface ConnectionLimitOptions {
  /** How many there may be now. */
  readonly total: () => number;
  /** Of one group of addresses. */
  readonly perAddress: number;
  /** Closes a connection, which {@link ConnectionLimit.forget} is called for. */
  readonly shed: (connection: Connection) => void;
  readonly onRefused: () => void;
}

/** What the connections of a group have on which no caller has authenticated. */
interface Share {
  size: number;
  /** The connection with the most of it. */
  largest: Connection;
}

/**
 * Limits what connections may have at once. At the total, a group of addresses that has less than another one gets room: the
 * connection with the most of the group with the most is closed, if no caller has authenticated on it. So no address can keep the
 * others out.
 */
export class ConnectionLimit {
  readonly #options: ConnectionLimitOptions;
  readonly #inUse: KeyedLimit;
  readonly #counts = new Map<Connection, number>();

  constructor(options: ConnectionLimitOptions) {
    this.#options = options;
    this.#inUse = new KeyedLimit({ total: Number.POSITIVE_INFINITY, perKey: options.perAddress });
  }

  /** How many are in use. */
  get size(): number {
    return this.#inUse.size;
  }

  /** Takes one for a connection, until it is closed at most. Returns a function that gives it back, or undefined where there is none left. */
  take(connection: Connection): (() => void) | undefined {
    if (!connection.isOpen) return undefined;
    const { onRefused, perAddress } = this.#options;
    const isBeyond = this.#inUse.countOf(connection.limitedGroup) >= perAddress;
    if (isBeyond || (this.#isFull() && !this.#makeRoom(connection.group))) {
      onRefused();
      return undefined;
    }
    this.#inUse.take(connection.limitedGroup);
    this.#counts.set(connection, this.#countOf(connection) + 1);
    return once(() => this.#release(connection));
  }

  /** The connection has ended; what it had is free. */
  forget(connection: Connection): void {
    for (let count = this.#countOf(connection); count > 0; count -= 1) this.#release(connection);
  }

  #isFull(): boolean {
    return this.#inUse.size >= this.#options.total();
  }

  #countOf(connection: Connection): number {
    return this.#counts.get(connection) ?? 0;
  }

  /** Does nothing for a connection that is forgotten. */
  #release(connection: Connection): void {
    const count = this.#countOf(connection);
    if (count === 0) return;
    this.#inUse.release(connection.limitedGroup);
    if (count > 1) this.#counts.set(connection, count - 1);
    else this.#counts.delete(connection);
  }

  #makeRoom(group: string): boolean {
    const shares = new Map<string, Share>();
    let own = 0;
    for (const [connection, count] of this.#counts) {
      if (connection.group === group) own += count;
      if (!connection.isProven) this.#addTo(shares, connection, count);
    }
    let most: Share | undefined;
    for (const share of shares.values()) if (share.size > (most?.size ?? own)) most = share;
    if (most) this.#options.shed(most.largest);
    return !this.#isFull();
  }

  #addTo(shares: Map<string, Share>, connection: Connection, count: number): void {
    const share = shares.get(connection.group);
    if (!share) {
      shares.set(connection.group, { size: count, largest: connection });
      return;
    }
    share.size += count;
    if (count > this.#countOf(share.largest)) share.largest = connection;
  }
}
