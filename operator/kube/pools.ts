import { createHash } from 'node:crypto';
import { createSecureContext } from 'node:tls';
import { buildConnector, Pool } from 'undici';
import type { ConnectionMonitor } from './connection-monitor.ts';
import type { Credentials, TlsMaterial } from './credentials.ts';

/** The connections that one set of credentials opens. */
export interface Pools {
  readonly fingerprint: string;
  readonly basePath: string;
  readonly requests: Pool;
  readonly watches: Pool;
  headers: Readonly<Record<string, string>>;
}

/** TCP and TLS; a request that waits for its connection is not counted by its own timeout. */
const CONNECT_TIMEOUT_MS = 5_000;
/** Below the API server's own 90 s, so that it is never the one to close a connection that we are about to use. */
const KEEP_ALIVE_MS = 45_000;
/** Most bytes of one answer: one object, however the API server is configured; pages of lists have a lower bound. A watch has no end and no such bound. */
const MAX_RESPONSE_BYTES = 128 * 1024 * 1024;
const WATCH_STREAMS = 100;
/** Reached only where the server speaks HTTP/1.1 alone and each watch takes a connection. */
const WATCH_CONNECTIONS = 1_024;
const PING_MS = 3_000;

/** Differs where other pools are needed. */
export const fingerprintOf = ({ server, tls }: Credentials): string => {
  const material = [tls.ca, tls.cert, tls.key].map(String);
  return createHash('sha256')
    .update(JSON.stringify([server, ...material, tls.servername, tls.rejectUnauthorized]))
    .digest('base64');
};

/** The pools for requests (HTTP/1.1) and for watches (HTTP/2 where the server offers it); connection.ts says why. No connection is made yet. */
export const buildPools = (made: {
  readonly credentials: Credentials;
  readonly fingerprint: string;
  readonly connections: number;
  readonly monitor: ConnectionMonitor;
}): Pools => {
  const { server, tls, headers } = made.credentials;
  const url = new URL(server);
  const connect = connectOptions(tls);
  const shared = { keepAliveTimeout: KEEP_ALIVE_MS, maxRequestsPerClient: 0 };
  const requests = new Pool(url.origin, {
    ...shared,
    connections: made.connections,
    allowH2: false,
    pipelining: 1,
    maxResponseSize: MAX_RESPONSE_BYTES,
    connect,
  });
  const watches = new Pool(url.origin, {
    ...shared,
    connections: WATCH_CONNECTIONS,
    allowH2: true,
    h2Options: { maxConcurrentStreams: WATCH_STREAMS, pingInterval: PING_MS },
    connect: trackedConnector(connect, made.monitor),
  });
  const basePath = url.pathname.replace(/\/+$/u, '');
  return { fingerprint: made.fingerprint, basePath, requests, watches, headers };
};

/** CA, certificate and key are read once: reading them for each connection takes as long as its handshake, and many are made after requests were ended. */
const connectOptions = ({ ca, cert, key, ...tls }: TlsMaterial) => ({
  ...tls,
  secureContext: createSecureContext({ ca, cert, key }),
  timeout: CONNECT_TIMEOUT_MS,
});

const trackedConnector = (
  connect: ReturnType<typeof connectOptions>,
  monitor: ConnectionMonitor,
): buildConnector.connector => {
  const connector = buildConnector({ ...connect, allowH2: true });
  return (options, callback) =>
    connector(options, (...result) => {
      if (result[1]) monitor.track(result[1]);
      callback(...result);
    });
};
