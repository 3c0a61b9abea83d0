import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import type { Server as TlsServer } from 'node:tls';
import { plainAddress } from '../../domain/caller-address.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Log } from '../../ports/log.ts';
import type { ServerName } from '../../ports/metrics.ts';
import type { Connection } from './connection.ts';
import { awaitHello } from './hello-gate.ts';
import type { LoadLimits } from './load-limits.ts';
import type { ServerCertificates } from './server-certificates.ts';
import { HANDSHAKE_MS } from './tls-options.ts';

/** Where to listen; port 0 takes any that is free. */
export interface ListenAddress {
  /** Undefined: all addresses, of IPv6 and IPv4, or of IPv4 alone where the host has no IPv6. */
  readonly host: string | undefined;
  readonly port: number;
}

export interface ListenerOptions {
  /** The protocol, for the log. */
  readonly name: 'gRPC' | 'HTTP';
  readonly server: ServerName;
  /** Whether clients begin with a TLS handshake. */
  readonly isSecure: boolean;
  /** The time for each half of a handshake; 10 s unless given. */
  readonly handshakeMs?: number | undefined;
  readonly load: LoadLimits;
  readonly clock: Clock;
  readonly log: Log;
}

/** A server's port, whose connections are bounded in number and can be cut. */
export interface Listener {
  /** Resolves with the port. @throws Error where the address can't be had */
  listen(address: ListenAddress): Promise<number>;
  /** Accepts no more connections; resolves when the last one has ended. */
  close(): Promise<void>;
  /** Ends every connection at once. */
  cut(): void;
  /** The accepted connection of a socket, or of the TLS socket over it; undefined where it has ended. */
  connectionOf(socket: Pick<Socket, 'remoteAddress' | 'remotePort'>): Connection | undefined;
}

const logFailedHandshake = (log: Log, code: string | undefined, address: string | undefined): void =>
  log.debug('a TLS handshake failed', { code, address });

/** Gives a TLS server the certificates of its listener, now and whenever they change, and logs handshakes that fail. */
export const followCertificates = (server: TlsServer, certificates: ServerCertificates, log: Log): void => {
  server.on('tlsClientError', ({ code }: NodeJS.ErrnoException, { remoteAddress }) =>
    logFailedHandshake(log, code, remoteAddress && plainAddress(remoteAddress)),
  );
  certificates.follow(server);
};

type Peer = Pick<Socket, 'remoteAddress' | 'remotePort'>;

/** Unique among the connections to one port. */
const keyOf = ({ remoteAddress, remotePort }: Peer): string => `${remoteAddress} ${remotePort}`;

/**
 * Makes a {@link Listener}. `accept` gets each connection that the limits admit: it is emitted as the `connection` of a server that
 * does not listen itself, since a server would do its work for a connection before it could be refused.
 */
export const createListener = (options: ListenerOptions, accept: (socket: Socket) => void): Listener => {
  const { name, server: serverName, isSecure, handshakeMs = HANDSHAKE_MS, load, clock, log } = options;
  const sockets = new Set<Socket>();
  const connections = new Map<string, Connection>();
  const gate = {
    queue: load.handshakes,
    clock,
    handshakeMs,
    onFailure: (code: string, { address }: Connection) => logFailedHandshake(log, code, address),
  };
  const server = createServer({ noDelay: true }, (socket) => {
    const connection = load.connections.admit(socket, serverName);
    if (!connection) return;
    const key = keyOf(socket);
    sockets.add(socket);
    connections.set(key, connection);
    socket.once('close', () => {
      sockets.delete(socket);
      connections.delete(key);
    });
    if (isSecure) awaitHello(socket, connection, { options: gate, begin: () => accept(socket) });
    else accept(socket);
  });
  return {
    listen: async ({ host, port }) => {
      server.listen(port, host);
      await once(server, 'listening');
      server.on('error', (error) => log.warn(`the ${name} listener has failed`, { error }));
      return (server.address() as AddressInfo).port;
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
      }),
    cut: () => {
      for (const socket of sockets) socket.destroy();
    },
    connectionOf: (socket) => connections.get(keyOf(socket)),
  };
};
