import { createServer as createPlainServer, type RequestListener, type Server } from 'node:http';
import { createServer as createTlsServer, type Server as TlsServer } from 'node:https';
import {
  createListener,
  followCertificates,
  type Listener,
  type ListenerOptions,
} from '../listener/listener.ts';
import type { ServerCertificates } from '../listener/server-certificates.ts';
import { tlsOptionsOf } from '../listener/tls-options.ts';
import type { Connections } from './fastify-app.ts';
import type { ListenerLimits } from './limits.ts';

export interface HttpListenerOptions extends Pick<ListenerOptions, 'load' | 'clock' | 'log'> {
  /** Undefined: plain text. */
  readonly certificates: ServerCertificates | undefined;
  readonly clientCertificateRequired: boolean;
  readonly limits: ListenerLimits;
  readonly connections: Connections;
}

/** A port for HTTP, and the server behind it. */
export interface HttpListener extends Listener {
  readonly server: Server | TlsServer;
}

const serverOptions = ({ limits }: HttpListenerOptions) => ({
  maxHeaderSize: limits.maxHeaderBytes,
  headersTimeout: limits.headersMs,
  requestTimeout: limits.requestMs,
  keepAliveTimeout: limits.keepAliveMs,
  connectionsCheckingInterval: limits.checkMs,
  noDelay: true,
});

const createSecureServer = (
  certificates: ServerCertificates,
  options: HttpListenerOptions,
  handler: RequestListener,
): TlsServer => {
  const { clientCertificateRequired, limits, log } = options;
  const { handshakeMs } = limits;
  const tls = tlsOptionsOf(certificates.context, {
    clientCertificateRequired,
    handshakeMs,
    protocol: 'http/1.1',
  });
  const server = createTlsServer({ ...serverOptions(options), ...tls }, handler);
  followCertificates(server, certificates, log);
  return server;
};

/** Makes the server with every limit on time and size that Node knows. */
export const createHttpListener = (options: HttpListenerOptions, handle: RequestListener): HttpListener => {
  const { certificates, connections, limits, load, clock, log } = options;
  // What has arrived with a request for which the connection was closed is not answered any more.
  const handler: RequestListener = (request, response) => {
    if (!request.socket.destroyed) handle(request, response);
  };
  const server = certificates
    ? createSecureServer(certificates, options, handler)
    : createPlainServer(serverOptions(options), handler);
  // An idle connection has its own, shorter or longer.
  server.timeout = limits.stallMs;
  server.on('timeout', (socket) => connections.timedOut(socket));
  server.on(certificates ? 'secureConnection' : 'connection', (socket) =>
    connections.secured(socket, listener.connectionOf(socket)),
  );
  const listener = createListener(
    {
      name: 'HTTP',
      server: 'http',
      isSecure: certificates !== undefined,
      handshakeMs: limits.handshakeMs,
      load,
      clock,
      log,
    },
    (socket) => void server.emit('connection', socket),
  );
  return {
    ...listener,
    server,
    listen: (address) => {
      // Starts Node's checks for requests that are late, as listening itself would.
      server.emit('listening');
      return listener.listen(address);
    },
    close: async () => {
      await listener.close();
      // Ends these checks.
      server.close();
    },
  };
};
