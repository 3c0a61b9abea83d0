import { createServer as createPlainServer, type RequestListener, type Server } from 'node:http';
import { createServer as createTlsServer, type Server as TlsServer } from 'node:https';
import type { Log } from '../ports/log.ts';
import type { ServerCertificates } from '../tls/server-certificates.ts';
import {
  CHECK_MS,
  HANDSHAKE_MS,
  HEADERS_MS,
  KEEP_ALIVE_MS,
  MAX_CONNECTIONS,
  MAX_HEADER_BYTES,
  REQUEST_MS,
} from './limits.ts';

export interface ListenerOptions {
  /** Undefined: plain text. */
  readonly certificates: ServerCertificates | undefined;
  readonly clientCertificateRequired: boolean;
  readonly log: Log;
}

const LIMITS = {
  maxHeaderSize: MAX_HEADER_BYTES,
  headersTimeout: HEADERS_MS,
  requestTimeout: REQUEST_MS,
  keepAliveTimeout: KEEP_ALIVE_MS,
  connectionsCheckingInterval: CHECK_MS,
  noDelay: true,
} as const;

const createSecure = (
  certificates: ServerCertificates,
  { clientCertificateRequired, log }: ListenerOptions,
  handler: RequestListener,
): TlsServer => {
  const server = createTlsServer(
    {
      ...LIMITS,
      ...certificates.context,
      requestCert: clientCertificateRequired,
      rejectUnauthorized: clientCertificateRequired,
      ALPNProtocols: ['http/1.1'],
      handshakeTimeout: HANDSHAKE_MS,
    },
    handler,
  );
  server.on('tlsClientError', ({ code }: NodeJS.ErrnoException, { remoteAddress }) =>
    log.debug('a TLS handshake failed', { code, address: remoteAddress }),
  );
  certificates.follow(server);
  return server;
};

/** The server that fastify is given: with every limit on time and size that Node knows. */
export const createListener = (options: ListenerOptions, handler: RequestListener): Server | TlsServer => {
  const { certificates } = options;
  const server = certificates
    ? createSecure(certificates, options, handler)
    : createPlainServer(LIMITS, handler);
  server.maxConnections = MAX_CONNECTIONS;
  return server;
};
