import type { Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import {
  createListener,
  followCertificates,
  type Listener,
  type ListenerOptions,
} from '../listener/listener.ts';
import type { ServerCertificates } from '../listener/server-certificates.ts';
import { tlsOptionsOf } from '../listener/tls-options.ts';

export interface GrpcListenerOptions extends Pick<ListenerOptions, 'handshakeMs' | 'load' | 'clock' | 'log'> {
  /** Undefined: plain text. */
  readonly certificates: ServerCertificates | undefined;
  readonly clientCertificateRequired: boolean;
}

/** What to do with a connection to begin its TLS handshake; `onSecured` gets it at the end. */
const handshake = (
  certificates: ServerCertificates,
  options: GrpcListenerOptions,
  onSecured: (socket: Socket) => void,
): ((socket: Socket) => void) => {
  const server = createTlsServer(
    tlsOptionsOf(certificates.context, { ...options, protocol: 'h2' }),
    onSecured,
  );
  followCertificates(server, certificates, options.log);
  // Node reports a handshake that takes too long, and leaves the connection to the listener.
  server.on('tlsClientError', (_error, socket) => socket.destroy());
  return (socket) => void server.emit('connection', socket);
};

/**
 * Listens in place of grpc-js, which has no bound on connections, no time limit on handshakes and no stable way to change
 * certificates. `onConnection` gets each connection that is ready for HTTP/2.
 */
export const createGrpcListener = (
  options: GrpcListenerOptions,
  onConnection: (socket: Socket) => void,
): Listener => {
  const { certificates } = options;
  let isClosing = false;
  // A handshake may end after the last connection was accepted.
  const admit = (socket: Socket): void => void (isClosing ? socket.destroy() : onConnection(socket));
  const listener = createListener(
    { ...options, name: 'gRPC', server: 'grpc', isSecure: certificates !== undefined },
    certificates ? handshake(certificates, options, admit) : admit,
  );
  return {
    ...listener,
    close: () => {
      isClosing = true;
      return listener.close();
    },
  };
};
