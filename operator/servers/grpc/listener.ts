import { createServer as createPlainServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import type { Log } from '../../ports/log.ts';
import { createListener, followCertificates, type Listener } from '../listener/listener.ts';
import type { ServerCertificates } from '../listener/server-certificates.ts';
import { tlsOptionsOf } from '../listener/tls-options.ts';

export interface GrpcListenerOptions {
  /** Undefined: plain text. */
  readonly certificates: ServerCertificates | undefined;
  readonly clientCertificateRequired: boolean;
  readonly maxConnections: number;
  /** From the first byte to an agreed key; 10 s unless given. */
  readonly handshakeMs?: number;
  readonly log: Log;
}

const createSecureServer = (
  certificates: ServerCertificates,
  options: GrpcListenerOptions,
  onConnection: (socket: Socket) => void,
): Server => {
  const server = createTlsServer(
    tlsOptionsOf(certificates.context, { ...options, protocol: 'h2' }),
    onConnection,
  );
  followCertificates(server, certificates, options.log);
  // Node reports a handshake that takes too long, and leaves the connection to the listener.
  server.on('tlsClientError', (_error, socket) => socket.destroy());
  return server;
};

/**
 * Listens in place of grpc-js, which has no bound on connections, no time limit on handshakes and no stable way to change
 * certificates. `onConnection` gets each connection that is ready for HTTP/2.
 */
export const createGrpcListener = (
  options: GrpcListenerOptions,
  onConnection: (socket: Socket) => void,
): Listener => {
  const { certificates, maxConnections, log } = options;
  let isClosing = false;
  // A handshake may end after the last connection was accepted.
  const admit = (socket: Socket): void => void (isClosing ? socket.destroy() : onConnection(socket));
  const server = certificates ? createSecureServer(certificates, options, admit) : createPlainServer(admit);
  const listener = createListener(server, { name: 'gRPC', maxConnections, log });
  return {
    ...listener,
    close: () => {
      isClosing = true;
      return listener.close();
    },
  };
};
