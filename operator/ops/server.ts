import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Registry } from 'prom-client';
import { type Check, report } from './health.ts';

export interface OpsServerOptions {
  readonly address: { readonly host: string; readonly port: number };
  readonly registry: Registry;
  readonly live: readonly Check[];
  readonly ready: readonly Check[];
}

/** The listener for probes and scrapes. */
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

const sendReport = (response: ServerResponse, checks: readonly Check[]): void => {
  const { ok, text } = report(checks);
  send(response, ok ? 200 : 503, TEXT, text);
};

const handle = async (
  request: IncomingMessage,
  response: ServerResponse,
  options: OpsServerOptions,
): Promise<void> => {
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    response.setHeader('Allow', 'GET, HEAD');
    return send(response, 405, TEXT, 'only GET and HEAD\n');
  }
  switch (request.url?.split('?', 1)[0]) {
    case '/healthz':
      return sendReport(response, options.live);
    case '/readyz':
      return sendReport(response, options.ready);
    case '/metrics':
      return send(response, 200, options.registry.contentType, await options.registry.metrics());
    default:
      return send(response, 404, TEXT, 'try /healthz, /readyz or /metrics\n');
  }
};

const listen = (server: Server, address: OpsServerOptions['address']): Promise<number> =>
  new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(address.port, address.host, () => {
      server.off('error', reject);
      resolve((server.address() as AddressInfo).port);
    });
  });

/** Serves `/metrics`, `/healthz` and `/readyz` (spec §6, `ops`). Bodies are not read; slow or large heads are cut off. */
export const createOpsServer = (options: OpsServerOptions): OpsServer => {
  const server = createServer(
    { headersTimeout: 5000, requestTimeout: 5000, keepAliveTimeout: 30_000, maxHeaderSize: 8192 },
    (request, response) => {
      request.resume();
      handle(request, response, options).catch(() => {
        if (!response.headersSent) send(response, 500, TEXT, 'failed\n');
      });
    },
  );
  server.maxConnections = 64;
  return {
    start: () => listen(server, options.address),
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
};
