import { once } from 'node:events';
import { type AddressInfo, Server, type Socket } from 'node:net';
import type { Server as TlsServer } from 'node:tls';
import type { Log } from '../../ports/log.ts';
import type { ServerCertificates } from './server-certificates.ts';

/** Where to listen; port 0 takes any that is free. */
export interface ListenAddress {
  readonly host: string;
  readonly port: number;
}

export interface ListenerOptions {
  /** The protocol, for the log. */
  readonly name: 'gRPC' | 'HTTP';
  /** Connections at once; more are rejected. */
  readonly maxConnections: number;
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
}

/** Gives a TLS server the certificates of its listener, now and whenever they change, and logs handshakes that fail. */
export const followCertificates = (server: TlsServer, certificates: ServerCertificates, log: Log): void => {
  server.on('tlsClientError', ({ code }: NodeJS.ErrnoException, { remoteAddress }) =>
    log.debug('a TLS handshake failed', { code, address: remoteAddress }),
  );
  certificates.follow(server);
};

/** Makes the {@link Listener} of a server, whatever protocol it speaks; to be called before the server listens. */
export const createListener = (server: Server, { name, maxConnections, log }: ListenerOptions): Listener => {
  const sockets = new Set<Socket>();
  server.maxConnections = maxConnections;
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
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
        // Not the close of an HTTP server: that one cuts off answers that are still being read.
        Server.prototype.close.call(server, () => resolve());
      }),
    cut: () => {
      for (const socket of sockets) socket.destroy();
    },
  };
};
