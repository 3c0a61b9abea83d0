import type { FastifyInstance } from 'fastify';
import type { Clock } from '../../ports/clock.ts';
import { openServerCertificates, type ServerCertificates } from '../listener/server-certificates.ts';
import { protectionOf, type ServerTls } from '../listener/server-tls.ts';
import { Connections } from './connections.ts';
import type { HttpCallDeps } from './exchange.ts';
import { createFastifyApp } from './fastify-app.ts';
import { LISTENER_LIMITS, type ListenerLimits } from './limits.ts';
import { createListener, type Listener } from './listener.ts';
import { createRouteTable } from './route.ts';
import { errorsElsewhere, type RouteOptions, routesOf } from './routes.ts';

export interface HttpServerOptions extends HttpCallDeps, RouteOptions {
  readonly address: { readonly host: string; readonly port: number };
  readonly tls: ServerTls;
  readonly corsOrigins: readonly string[];
  readonly trustedProxies: readonly string[];
  readonly limits?: ListenerLimits;
}

/** The HTTP listener (spec §5). */
export interface HttpServer {
  /** Listens; resolves with the port that was taken. @throws Error where the certificates or the address can't be used */
  start(signal: AbortSignal): Promise<number>;
  /** Accepts no new connections or requests, waits for those in progress, and has cut what remains when `deadlineMs` have passed. */
  stop(deadlineMs: number): Promise<void>;
}

/** What listens, and what it serves. */
interface Built {
  readonly app: FastifyInstance;
  readonly connections: Connections;
  readonly listener: Listener;
}

const build = (options: HttpServerOptions, certificates: ServerCertificates | undefined): Built => {
  const { clock, issuerUrl, log, metrics, tls, trustedProxies, limits = LISTENER_LIMITS } = options;
  const { clientCertificateRequired } = tls;
  const connections = new Connections();
  let listener: Listener | undefined;
  const app = createFastifyApp({
    findRoute: createRouteTable(routesOf(options), errorsElsewhere(issuerUrl)),
    corsOrigins: options.corsOrigins,
    trustedProxies,
    connections,
    serverFactory: (handler) => {
      listener = createListener(
        { certificates, clientCertificateRequired, limits, connections, log },
        handler,
      );
      return listener.server;
    },
    deps: { clock, log, metrics },
  });
  if (!listener) throw new Error('fastify has asked for no server');
  return { app, connections, listener };
};

/** What cutting connections may take of the time for a stop. */
const CUT_MS = 250;

/** Resolves when every connection has ended by itself, or shortly before `deadlineMs`. */
const drain = ({ connections, listener }: Built, clock: Clock, deadlineMs: number): Promise<void> =>
  new Promise((resolve) => {
    const cancel = clock.after(Math.max(0, deadlineMs - CUT_MS), resolve);
    void listener.close().then(() => {
      cancel();
      resolve();
    });
    connections.drain();
  });

/** Makes the HTTP server. It reads no files and does not listen before {@link HttpServer.start}. */
export const createHttpServer = (options: HttpServerOptions): HttpServer => {
  const { address, clock, log, tls } = options;
  let certificates: ServerCertificates | undefined;
  let built: Built | undefined;
  return {
    start: async (signal) => {
      if (tls.certFile !== '') certificates = await openServerCertificates({ files: tls, clock, log });
      signal.throwIfAborted();
      built = build(options, certificates);
      await built.app.ready();
      const port = await built.listener.listen(address);
      log.info('HTTP listener started', { host: address.host, port, tls: protectionOf(tls) });
      return port;
    },
    stop: async (deadlineMs) => {
      if (built) await drain(built, clock, deadlineMs);
      built?.connections.cut();
      await built?.app.close();
      certificates?.stop();
    },
  };
};
