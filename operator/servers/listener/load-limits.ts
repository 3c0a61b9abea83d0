import { KeyedLimit, type KeyedLimits, once } from '../../async/keyed-limit.ts';
import { createGroupOf, type GroupOf } from '../../domain/caller-address.ts';
import type { LimitName } from '../../ports/metrics.ts';
import { ByteBudget } from './byte-budget.ts';
import type { Connection } from './connection.ts';
import { ConnectionTable } from './connection-table.ts';
import { HandshakeQueue } from './handshake-queue.ts';
import { createLimitReports, type LimitReportsOptions, type ReportLimit } from './limit-reports.ts';

interface ConnectionLimitOptions {
  readonly total: number;
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
  #shared: { readonly other: ConnectionLimit; readonly total: number } | undefined;

  constructor(options: ConnectionLimitOptions) {
    this.#options = options;
    this.#inUse = new KeyedLimit({ total: Number.POSITIVE_INFINITY, perKey: options.perAddress });
  }

  /** This limit and the other one have at most `total` together. */
  shareWith(other: ConnectionLimit, total: number): void {
    this.#shared = { other, total };
    other.#shared = { other: this, total };
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
    if (this.size >= this.#options.total) return true;
    return this.#shared !== undefined && this.size + this.#shared.other.size >= this.#shared.total;
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

/** What one address may have at once (spec §6, `limits.perAddress`). */
export interface PerAddressLimits {
  readonly connections: number;
  readonly connectionsPerSecond: number;
  readonly streams: number;
  readonly unfinishedRequests: number;
  readonly healthWatches: number;
}

export interface LoadLimitsOptions extends LimitReportsOptions {
  /** Connections at once, of all servers together. */
  readonly connections: number;
  readonly perAddress: PerAddressLimits;
  /** Bytes that all connections together may keep; 32 MiB unless given. */
  readonly maxKeptBytes?: number;
  /** Their addresses have no limits of their own: many callers stand behind each. */
  readonly trustedProxies: readonly string[];
}

/** Takes one of a limited number for a caller. Returns a function that gives it back, or undefined where there is none left. */
export type TakeFor = (address: string) => (() => void) | undefined;

/** The limits that the servers of a process share. */
export interface LoadLimits {
  readonly report: ReportLimit;
  readonly connections: ConnectionTable;
  readonly handshakes: HandshakeQueue;
  /** HTTP/2 streams, whatever runs on them, of connections on which no caller has authenticated. */
  readonly streams: ConnectionLimit;
  /** Those of the other connections: strangers at the same address take none from them. */
  readonly provenStreams: ConnectionLimit;
  /** gRPC requests of which a part has arrived. */
  readonly unfinishedRequests: ConnectionLimit;
  /** What all connections together may keep. */
  readonly bytes: ByteBudget;
  /** Open streams of Health/Watch. */
  readonly watches: TakeFor;
  /** Open streams of server reflection. */
  readonly reflections: TakeFor;
}

/**
 * A stream takes some 20 KB: all of them 80 MB, of the 512 MiB that the chart gives a replica. Half of them are for connections with
 * an authenticated caller alone, and a quarter for the others alone.
 */
const MAX_STREAMS = 4096;
const MAX_UNPROVEN_STREAMS = 2048;
const MAX_PROVEN_STREAMS = 3072;
const MAX_UNFINISHED_REQUESTS = 2048;
/** Of the 512 MiB that the chart gives a replica, 16 times as much. */
const MAX_KEPT_BYTES = 32 * 1024 * 1024;
/** Twice what one address may have by default. */
const MAX_WATCHES = 2048;
/** Reflection is for people and their tools. */
const REFLECTIONS = { total: 128, perKey: 32 };

/** Makes the {@link TakeFor} of one limit of a server. */
const takerOf = (
  limit: KeyedLimit,
  { groupOf, onRefused }: { readonly groupOf: GroupOf; readonly onRefused: () => void },
): TakeFor => {
  return (address) => {
    const group = groupOf(address);
    if (limit.take(group) !== undefined) {
      onRefused();
      return undefined;
    }
    return once(() => limit.release(group));
  };
};

/** Makes {@link LoadLimits}, for all servers of a process. */
export const createLoadLimits = (options: LoadLimitsOptions): LoadLimits => {
  const { connections, perAddress, trustedProxies, maxKeptBytes = MAX_KEPT_BYTES, clock } = options;
  const groupOf = createGroupOf(trustedProxies);
  const report = createLimitReports(options);
  const table = new ConnectionTable({
    total: connections,
    perAddress: perAddress.connections,
    perSecond: perAddress.connectionsPerSecond,
    groupOf,
    clock,
    report,
    onRemoved: (connection) => {
      bytes.forget(connection);
      for (const limit of [streams, provenStreams, unfinishedRequests]) limit.forget(connection);
    },
  });
  const bytes = new ByteBudget({ limit: maxKeptBytes, connections: table, clock });
  const taker = (limit: LimitName, limits: KeyedLimits): TakeFor =>
    takerOf(new KeyedLimit(limits), { groupOf, onRefused: () => report('grpc', limit, 'refused') });
  const limitOf = (name: 'streams' | 'unfinishedRequests', total: number): ConnectionLimit =>
    new ConnectionLimit({
      total,
      perAddress: perAddress[name],
      shed: (connection) => table.shed(connection, name),
      onRefused: () => report('grpc', name, 'refused'),
    });
  const streams = limitOf('streams', MAX_UNPROVEN_STREAMS);
  const provenStreams = limitOf('streams', MAX_PROVEN_STREAMS);
  streams.shareWith(provenStreams, MAX_STREAMS);
  const unfinishedRequests = limitOf('unfinishedRequests', MAX_UNFINISHED_REQUESTS);
  return {
    report,
    connections: table,
    bytes,
    handshakes: new HandshakeQueue(clock),
    streams,
    provenStreams,
    unfinishedRequests,
    watches: taker('healthWatches', { total: MAX_WATCHES, perKey: perAddress.healthWatches }),
    reflections: taker('reflections', REFLECTIONS),
  };
};
