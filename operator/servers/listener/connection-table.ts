import type { Socket } from 'node:net';
import { BoundedMap } from '../../async/bounded-map.ts';
import { TokenBucket } from '../../async/token-bucket.ts';
import { type GroupOf, plainAddress } from '../../domain/caller-address.ts';
import type { MonotonicClock } from '../../ports/clock.ts';
import type { LimitName, ServerName } from '../../ports/metrics.ts';
import { Connection } from './connection.ts';
import type { ReportLimit } from './limit-reports.ts';

export interface ConnectionTableOptions {
  /** Connections at once, of all servers together. */
  readonly total: number;
  /** Connections at once of one group of addresses. */
  readonly perAddress: number;
  /** New connections of one group of addresses per second, beside a burst of as many as it may have. */
  readonly perSecond: number;
  readonly groupOf: GroupOf;
  readonly clock: MonotonicClock;
  readonly report: ReportLimit;
  /** A connection is no longer among them. */
  readonly onRemoved: (connection: Connection) => void;
}

/** The connections of a group of addresses. */
interface Group {
  readonly connections: Set<Connection>;
  /** Those of them on which no caller has authenticated yet, the oldest first. */
  readonly unproven: Set<Connection>;
}

/** What connections of a group keep, and the one that keeps the most of it. */
interface Weight {
  readonly bytes: number;
  readonly connection: Connection | undefined;
}

/** The part of what the heaviest address keeps that makes another one worth closing. */
const MIN_WEIGHT = 1 / 8;

/** New connections that one which is closed for what it has costs its address: with TLS it took 10 ms of CPU time, and the next one would again. */
const SHED_COST = 250;
/** Limits on connections alone. */
const OF_CONNECTIONS: readonly LimitName[] = ['connections', 'addressConnections'];

/** Groups whose rate of new connections is remembered. */
const MAX_RATED = 8192;

/** An idle one, or the oldest. */
const leastUseful = (connections: ReadonlySet<Connection>): Connection | undefined => {
  let oldest: Connection | undefined;
  for (const connection of connections) {
    if (connection.requests === 0) return connection;
    oldest ??= connection;
  }
  return oldest;
};

/**
 * The connections of all servers of a process. Where one is too many, another one is closed for it if it is of less use: one on
 * which no caller has authenticated, of the address with the most of these; else one that is idle. So no address can keep the
 * others out.
 */
export class ConnectionTable {
  readonly #options: ConnectionTableOptions;
  readonly #groups = new Map<string, Group>();
  readonly #rates = new BoundedMap<string, TokenBucket>(MAX_RATED);
  #size = 0;

  constructor(options: ConnectionTableOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#size;
  }

  /** Every connection. */
  *[Symbol.iterator](): Generator<Connection> {
    for (const { connections } of this.#groups.values()) yield* connections;
  }

  /** Takes in a connection until it is closed; undefined where a limit refuses it: then it is closed already. */
  admit(socket: Socket, server: ServerName): Connection | undefined {
    const { groupOf, clock } = this.#options;
    const address = socket.remoteAddress && plainAddress(socket.remoteAddress);
    const limited = address === undefined ? undefined : groupOf(address);
    const refusal = address === undefined ? 'gone' : this.#refusalOf(limited);
    if (address === undefined || refusal !== undefined) {
      if (refusal !== 'gone' && refusal !== undefined) this.#options.report(server, refusal, 'refused');
      socket.resetAndDestroy();
      return undefined;
    }
    const connection: Connection = new Connection(socket, {
      server,
      address,
      // The limits per address do not count for a trusted proxy, but it has a share like the others where the total is reached.
      group: limited ?? address,
      limitedGroup: limited,
      clock,
      onProven: () => this.#groups.get(connection.group)?.unproven.delete(connection),
    });
    this.#add(connection);
    socket.once('close', () => this.#remove(connection));
    return connection;
  }

  /** Counts as many new connections of a group as a flood of frames costs, so that it does not just go on with another connection. */
  penalize(group: string, connections: number): void {
    const bucket = this.#rateOf(group);
    const now = this.#options.clock.monotonic();
    for (let taken = 0; taken < connections && bucket.take(now) === 0; taken += 1);
  }

  /**
   * Closes the connection, to make room. Where it is closed for what it has, and no caller has authenticated on it, its address pays
   * with new connections, so that it does not just go on with another one.
   */
  shed(connection: Connection, limit: LimitName): void {
    const { report } = this.#options;
    report(connection.server, limit, 'shed');
    if (!connection.isProven && !OF_CONNECTIONS.includes(limit)) this.penalize(connection.group, SHED_COST);
    this.#remove(connection);
    connection.destroy();
  }

  /**
   * The connection that keeps the most bytes, of the address with the most: without an authenticated caller, or else of all.
   * Undefined where none keeps any. An address without authenticated callers that keeps little beside another one is left alone.
   */
  heaviest(): Connection | undefined {
    const ofAll = this.#heaviestOf(({ connections }) => connections);
    const unproven = this.#heaviestOf((group) => group.unproven);
    const isMuch = unproven.bytes > 0 && unproven.bytes >= MIN_WEIGHT * ofAll.bytes;
    return (isMuch ? unproven : ofAll).connection;
  }

  #heaviestOf(connectionsOf: (group: Group) => ReadonlySet<Connection>): Weight {
    let [most, heaviest]: [number, Connection | undefined] = [0, undefined];
    for (const group of this.#groups.values()) {
      let [bytes, largest]: [number, Connection | undefined] = [0, undefined];
      for (const connection of connectionsOf(group)) {
        bytes += connection.heldBytes;
        if (connection.heldBytes > (largest?.heldBytes ?? 0)) largest = connection;
      }
      if (bytes > most) [most, heaviest] = [bytes, largest];
    }
    return { bytes: most, connection: heaviest };
  }

  /** The limit that refuses another connection of a group; makes room for it where a connection can be closed instead. */
  #refusalOf(limited: string | undefined): LimitName | undefined {
    const { total, perAddress, clock } = this.#options;
    if (limited !== undefined) {
      if (this.#rateOf(limited).take(clock.monotonic()) > 0) return 'connectionRate';
      const group = this.#groups.get(limited);
      if (group && group.connections.size >= perAddress) {
        const victim = leastUseful(group.unproven);
        if (!victim) return 'addressConnections';
        this.shed(victim, 'addressConnections');
      }
    }
    if (this.#size < total) return undefined;
    const victim = leastUseful(this.#largestUnproven()) ?? this.#idle();
    if (!victim) return 'connections';
    this.shed(victim, 'connections');
    return undefined;
  }

  #rateOf(group: string): TokenBucket {
    const known = this.#rates.get(group);
    if (known) return known;
    const { perAddress, perSecond } = this.#options;
    const bucket = new TokenBucket({ burst: perAddress + perSecond, refillMs: 1000 / perSecond });
    this.#rates.set(group, bucket);
    return bucket;
  }

  #largestUnproven(): ReadonlySet<Connection> {
    let largest: ReadonlySet<Connection> = new Set();
    for (const { unproven } of this.#groups.values()) if (unproven.size > largest.size) largest = unproven;
    return largest;
  }

  /** Of the group with the most connections, the one that has been idle for the longest time. */
  #idle(): Connection | undefined {
    let [most, found]: [number, Connection | undefined] = [0, undefined];
    for (const { connections } of this.#groups.values()) {
      if (connections.size < most) continue;
      for (const connection of connections) {
        if (connection.requests > 0) continue;
        const isLonger = !found || connections.size > most || connection.idleSince < found.idleSince;
        if (isLonger) [most, found] = [connections.size, connection];
      }
    }
    return found;
  }

  #add(connection: Connection): void {
    const group = this.#groups.get(connection.group) ?? { connections: new Set(), unproven: new Set() };
    this.#groups.set(connection.group, group);
    group.connections.add(connection);
    group.unproven.add(connection);
    this.#size += 1;
  }

  #remove(connection: Connection): void {
    const group = this.#groups.get(connection.group);
    if (!group?.connections.delete(connection)) return;
    group.unproven.delete(connection);
    this.#size -= 1;
    if (group.connections.size === 0) this.#groups.delete(connection.group);
    this.#options.onRemoved(connection);
  }
}
