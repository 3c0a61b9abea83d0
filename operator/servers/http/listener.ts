import { once } from 'node:events';
import { createServer as createPlainServer, type RequestListener, type Server } from 'node:http';
import { createServer as createTlsServer, type Server as TlsServer } from 'node:https';
import { type AddressInfo, Server as NetServer } from 'node:net';
import type { Log } from '../../ports/log.ts';
import type { ServerCertificates } from '../listener/server-certificates.ts';
import type { Connections } from './connections.ts';
import type { ListenerLimits } from './limits.ts';

export interface ListenerOptions {
  /** Undefined: plain text. */
  readonly certificates: ServerCertificates | undefined;
  readonly clientCertificateRequired: boolean;
  readonly limits: ListenerLimits;
  readonly connections: Connections;
  readonly log: Log;
}

/** A port for HTTP, and its connections. */
export interface Listener {
  readonly server: Server | TlsServer;
  /** Resolves with the port. @throws Error where the address can't be had */
  listen(address: { readonly host: string; readonly port: number }): Promise<number>;
  /** Takes no more connections; resolves when the last one has ended. */
  close(): Promise<void>;
}

const serverOptions = ({ limits }: ListenerOptions) => ({
  maxHeaderSize: limits.maxHeaderBytes,
  headersTimeout: limits.headersMs,
  requestTimeout: limits.requestMs,
  keepAliveTimeout: limits.keepAliveMs,
  connectionsCheckingInterval: limits.checkMs,
  noDelay: true,
});

const createSecureServer = (
  certificates: ServerCertificates,
  options: ListenerOptions,
  handler: RequestListener,
): TlsServer => {
  const { clientCertificateRequired, limits, log } = options;
  const server = createTlsServer(
    {
      ...serverOptions(options),
      ...certificates.context,
      requestCert: clientCertificateRequired,
      rejectUnauthorized: clientCertificateRequired,
      ALPNProtocols: ['http/1.1'],
      handshakeTimeout: limits.handshakeMs,
    },
    handler,
  );
  server.on('tlsClientError', ({ code }: NodeJS.ErrnoException, { remoteAddress }) =>
    log.debug('a TLS handshake failed', { code, address: remoteAddress }),
  );
  certificates.follow(server);
  return server;
};

/** Ends the wait for new connections and nothing else: Node's own would cut answers off that are still being read. */
const closePort = (server: Server | TlsServer): Promise<void> =>
  new Promise((resolve) => NetServer.prototype.close.call(server, () => resolve()));

/** Makes the server with every limit on time and size that Node knows. */
export const createListener = (options: ListenerOptions, handler: RequestListener): Listener => {
  const { certificates, connections, limits, log } = options;
  const server = certificates
    ? createSecureServer(certificates, options, handler)
    : createPlainServer(serverOptions(options), handler);
  server.maxConnections = limits.maxConnections;
  // An idle connection has its own, shorter or longer.
  server.timeout = limits.stallMs;
  server.on('timeout', (socket) => connections.timedOut(socket));
  server.on('connection', (socket) => connections.opened(socket));
  server.on(certificates ? 'secureConnection' : 'connection', (socket) => connections.secured(socket));
  return {
    server,
    listen: async ({ host, port }) => {
      server.listen(port, host);
      await once(server, 'listening');
      server.on('error', (error) => log.warn('the HTTP listener has failed', { error }));
      return (server.address() as AddressInfo).port;
    },
    close: async () => {
      await closePort(server);
      // Ends Node's look-out for those that are late.
      server.close();
    },
  };
};
