import { once } from 'node:events';
import { type AddressInfo, createServer as createPlainServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer, type TlsOptions } from 'node:tls';
import type { Log } from '../../ports/log.ts';
import type { ServerCertificates } from '../listener/server-certificates.ts';

export interface ListenerOptions {
  /** Undefined: plain text. */
  readonly certificates: ServerCertificates | undefined;
  readonly clientCertificateRequired: boolean;
  readonly maxConnections: number;
  /** From the first byte to an agreed key; 10 s unless given. */
  readonly handshakeMs?: number;
  readonly log: Log;
}

/** A port whose connections are bounded in number, and can be cut. */
export interface Listener {
  /** Resolves with the port. @throws Error where the address can't be had */
  listen(address: { readonly host: string; readonly port: number }): Promise<number>;
  /** Takes no more connections; resolves when the last one has ended. */
  close(): Promise<void>;
  /** Ends every connection at once. */
  cut(): void;
}

const HANDSHAKE_MS = 10_000;

const tlsOptions = (
  certificates: ServerCertificates,
  { clientCertificateRequired, handshakeMs = HANDSHAKE_MS }: ListenerOptions,
): TlsOptions => ({
  ...certificates.context,
  requestCert: clientCertificateRequired,
  rejectUnauthorized: clientCertificateRequired,
  ALPNProtocols: ['h2'],
  handshakeTimeout: handshakeMs,
});

const createSecureServer = (
  certificates: ServerCertificates,
  options: ListenerOptions,
  onConnection: (socket: Socket) => void,
): Server => {
  const server = createTlsServer(tlsOptions(certificates, options), onConnection);
  server.on('tlsClientError', ({ code }: NodeJS.ErrnoException, socket) => {
    options.log.debug('a TLS handshake failed', { code, address: socket.remoteAddress });
    // Node tells of one that takes too long, and leaves the connection to whoever listens.
    socket.destroy();
  });
  certificates.follow(server);
  return server;
};

/**
 * Listens in grpc-js's place, which knows no bound on connections, no time limit on handshakes and no way to change
 * certificates that is not experimental. What comes out of it is handed to grpc-js.
 */
export const createListener = (
  options: ListenerOptions,
  onConnection: (socket: Socket) => void,
): Listener => {
  const { certificates } = options;
  let isClosing = false;
  // A handshake may end after the last connection was taken.
  const admit = (socket: Socket): void => void (isClosing ? socket.destroy() : onConnection(socket));
  const server = certificates ? createSecureServer(certificates, options, admit) : createPlainServer(admit);
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  server.maxConnections = options.maxConnections;
  return {
    listen: async ({ host, port }) => {
      server.listen(port, host);
      await once(server, 'listening');
      server.on('error', (error) => options.log.warn('the gRPC listener has failed', { error }));
      return (server.address() as AddressInfo).port;
    },
    close: () => {
      isClosing = true;
      return new Promise((resolve) => server.close(() => resolve()));
    },
    cut: () => {
      for (const socket of sockets) socket.destroy();
    },
  };
};
