import type { Server, Socket } from 'node:net';
import { addressGroup } from '../domain/caller-address.ts';

/** How many connections a listener has at once. */
export interface ConnectionShares {
  readonly total: number;
  readonly perAddress: number;
}

const oldestOf = (sockets: Iterable<Socket>): Socket | undefined => sockets[Symbol.iterator]().next().value;

/**
 * Bounds a server's connections so that no client can keep another one out: beyond its own share an address loses the
 * oldest of its connections, beyond the total the address with the most does (IPv6 by /64). The new connection is
 * always accepted. A probe takes milliseconds, so that it is over long before its connection is the oldest.
 */
export const shareConnections = (server: Server, { total, perAddress }: ConnectionShares): void => {
  const byAddress = new Map<string, Set<Socket>>();
  let count = 0;
  const largest = (): Set<Socket> | undefined => {
    let most: Set<Socket> | undefined;
    for (const sockets of byAddress.values()) if (!most || sockets.size > most.size) most = sockets;
    return most;
  };
  const drop = (sockets: Set<Socket> | undefined): void => {
    const oldest = sockets && oldestOf(sockets);
    if (!oldest) return;
    forget(oldest);
    oldest.resetAndDestroy();
  };
  const addressOf = new WeakMap<Socket, string>();
  const forget = (socket: Socket): void => {
    const address = addressOf.get(socket);
    const sockets = address === undefined ? undefined : byAddress.get(address);
    if (address === undefined || !sockets?.delete(socket)) return;
    count -= 1;
    if (sockets.size === 0) byAddress.delete(address);
  };
  server.on('connection', (socket: Socket) => {
    const address = addressGroup(socket.remoteAddress ?? '');
    const sockets = byAddress.get(address) ?? new Set();
    if (sockets.size >= perAddress) drop(sockets);
    else if (count >= total) drop(largest());
    byAddress.set(address, sockets.add(socket));
    addressOf.set(socket, address);
    count += 1;
    socket.once('close', () => forget(socket));
  });
};
