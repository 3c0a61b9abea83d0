import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import type { Registry } from 'prom-client';
import type { MonotonicClock } from '../ports/clock.ts';
import type { Log } from '../ports/log.ts';
import { shareConnections } from './connection-shares.ts';
import { type Check, report } from './health.ts';
import { createMetricsText } from './metrics-text.ts';

/** What probes report on. */
export interface Probes {
  readonly live: readonly Check[];
  readonly ready: readonly Check[];
}

interface ServerOptions {
  readonly address: { readonly host: string | undefined; readonly port: number };
  readonly probes: Probes;
  readonly log: Pick<Log, 'warn'>;
}

export interface OpsServerOptions extends ServerOptions {
  readonly registry: Pick<Registry, 'contentType' | 'metrics'>;
  readonly clock: Pick<MonotonicClock, 'monotonic' | 'after'>;
}

/** A listener for probes, or for scrapes and probes. */
export interface OpsServer {
  /** Listens; resolves with the port that was taken. */
  start(): Promise<number>;
  /** Closes the listener and its connections. */
  stop(): Promise<void>;
}

const send = (response: ServerResponse, status: number, type: string, body: string): void => {
  response.writeHead(status, {
    'Content-Type': type,
    'Content-Length': Buffer.byteLength(body),
    'Cache-Control': 'no-store',
    'X-Content-Type-Options': 'nosniff',
  });
  response.end(response.req.method === 'HEAD' ? undefined : body);
};

const TEXT = 'text/plain; charset=utf-8';

type Answer = (response: ServerResponse) => void | Promise<void>;
type Endpoints = Readonly<Record<string, Answer>>;

const reporting =
  (checks: readonly Check[]): Answer =>
  (response) => {
    const { ok, text } = report(checks);
    send(response, ok ? 200 : 503, TEXT, text);
  };

const probeEndpoints = ({ live, ready }: Probes): Endpoints => ({
  '/healthz': reporting(live),
  '/readyz': reporting(ready),
});

const handle = async (
  request: IncomingMessage,
  response: ServerResponse,
  endpoints: Endpoints,
): Promise<void> => {
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    response.setHeader('Allow', 'GET, HEAD');
    return send(response, 405, TEXT, 'only GET and HEAD\n');
  }
  const path = request.url?.split('?', 1)[0] ?? '';
  if (Object.hasOwn(endpoints, path)) return endpoints[path]?.(response);
  return send(response, 404, TEXT, `try ${Object.keys(endpoints).join(' or ')}\n`);
};

const listen = (server: Server, { address, log }: ServerOptions): Promise<number> =>
  new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(address.port, address.host, () => {
      server.off('error', reject);
      // For example, there is no file descriptor left for a connection (EMFILE): without a listener the process would end.
      server.on('error', (error) => log.warn('a listener for probes or metrics has failed', { error }));
      resolve((server.address() as AddressInfo).port);
    });
  });

/** A client that takes longer to send a request, or to read the response, loses its connection. */
const STALL_MS = 5000;
const CHECK_MS = 1000;
const MAX_HEADER_BYTES = 8192;

/** Bodies are not read; slow or large heads are cut off, and one address can use up no more than its share of the connections. */
const createProbeListener = (
  options: ServerOptions,
  endpoints: Endpoints,
  keepAliveTimeout: number,
): OpsServer => {
  const answering = new WeakSet<Socket>();
  const server = createServer(
    {
      headersTimeout: STALL_MS,
      requestTimeout: STALL_MS,
      connectionsCheckingInterval: CHECK_MS,
      keepAliveTimeout,
      maxHeaderSize: MAX_HEADER_BYTES,
    },
    (request, response) => {
      const { socket } = request;
      // Neither kubelet nor Prometheus sends a request before it has the last response.
      if (answering.has(socket)) socket.destroy();
      if (socket.destroyed) return;
      answering.add(socket);
      response.once('close', () => answering.delete(socket));
      request.resume();
      if (keepAliveTimeout === 0) response.shouldKeepAlive = false;
      handle(request, response, endpoints).catch(() => {
        if (!response.headersSent) send(response, 500, TEXT, 'failed\n');
      });
    },
  );
  server.timeout = STALL_MS;
  shareConnections(server, { total: 64, perAddress: 16 });
  return {
    start: () => listen(server, options),
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
};

/** Serves `/healthz` and `/readyz` and nothing else (spec §6, `probes`), one request a connection, as kubelet sends them. */
export const createProbeServer = (options: ServerOptions): OpsServer =>
  createProbeListener(options, probeEndpoints(options.probes), 0);

/** Prometheus scrapes every 15 to 60 s: its connection stays open in between. */
const KEEP_ALIVE_MS = 65_000;

/** Serves `/metrics`, `/healthz` and `/readyz` (spec §6, `ops`). */
export const createOpsServer = (options: OpsServerOptions): OpsServer => {
  const { clock, probes, registry } = options;
  const metricsText = createMetricsText(registry, clock);
  const metrics: Answer = async (response) => send(response, 200, registry.contentType, await metricsText());
  return createProbeListener(options, { ...probeEndpoints(probes), '/metrics': metrics }, KEEP_ALIVE_MS);
};
