import type { Socket } from 'node:net';
import {
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  type FastifyServerFactory,
  fastify,
  type RawServerDefault,
} from 'fastify';
import type { Connection } from '../listener/connection.ts';
import type { LoadLimits } from '../listener/load-limits.ts';
import { HttpFailure } from './http-failure.ts';
import { MAX_BODY_BYTES, MAX_HEADER_FIELDS, MAX_PIPELINED } from './limits.ts';
import { type HttpRequestDeps, RequestLifecycle } from './request-lifecycle.ts';
import { targetOf } from './request-target.ts';
import type { FindRoute } from './route.ts';
import { rejectUnreadable } from './unreadable.ts';

export interface FastifyAppOptions {
  readonly findRoute: FindRoute;
  /** Origins of browsers that may read answers; `*` is any. Empty: no CORS headers are sent. */
  readonly corsOrigins: readonly string[];
  /** Addresses of proxies whose X-Forwarded-For is trusted. */
  readonly trustedProxies: readonly string[];
  readonly connections: Connections;
  readonly serverFactory: FastifyServerFactory;
  readonly deps: HttpRequestDeps;
}

/** On every answer: browsers must not guess its type, frame it, or cache it. */
const HEADERS = {
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'cache-control': 'no-store',
};

const ALLOWED_HEADERS = 'authorization, content-type, accept';
const PREFLIGHT_SECONDS = '600';

const NO_QUERY = {};

/** New connections that an address has spent with one that was closed for its requests. */
const PIPELINING_COST = 20;

/** Parsed like every other type. Fastify finds the parser of a type faster if it is registered by name. */
const COMMON_TYPES = ['application/x-www-form-urlencoded', 'application/json'];

/** Adds the headers of the CORS protocol (Fetch standard). Credentials are never cookies, so that allowing any origin is safe. */
class Cors {
  readonly #allowed: ReadonlySet<string>;

  constructor(origins: readonly string[]) {
    this.#allowed = new Set(origins);
  }

  #isAllowed(origin: string | undefined): origin is string {
    return origin !== undefined && (this.#allowed.has(origin) || this.#allowed.has('*'));
  }

  /** Headers of every answer. */
  mark({ headers }: FastifyRequest, reply: FastifyReply): void {
    if (this.#allowed.size === 0) return;
    reply.header('vary', 'Origin');
    if (this.#isAllowed(headers.origin)) reply.header('access-control-allow-origin', headers.origin);
  }

  /** Headers of the answer to a preflight request. */
  preflight({ headers }: FastifyRequest, reply: FastifyReply, methods: string): void {
    if (!this.#isAllowed(headers.origin)) return;
    reply
      .header('access-control-allow-methods', methods)
      .header('access-control-allow-headers', ALLOWED_HEADERS)
      .header('access-control-max-age', PREFLIGHT_SECONDS);
  }
}

declare module 'fastify' {
  interface FastifyRequest {
    /** Set once the request has begun. */
    exchange: RequestLifecycle | null | undefined;
  }
}

/** Leads every request through fastify, which reads bodies and writes answers; `findRoute` decides what a request is for (decision 0014). */
class RequestHandler {
  readonly #options: FastifyAppOptions;
  readonly #cors: Cors;

  constructor(options: FastifyAppOptions) {
    this.#options = options;
    this.#cors = new Cors(options.corsOrigins);
  }

  /** Begins the exchange of a request, once. Every entry point calls it, since fastify answers some requests without running its hooks. */
  begin(request: FastifyRequest, reply: FastifyReply): RequestLifecycle {
    if (request.exchange) return request.exchange;
    const { findRoute, connections, deps } = this.#options;
    const match = findRoute(targetOf(request.raw.url).path, request.method);
    const exchange = new RequestLifecycle(request, reply, { match, startedAt: deps.clock.monotonic() });
    request.exchange = exchange;
    connections.begin(exchange);
    exchange.whenClosed(() => {
      connections.end(exchange);
      exchange.finish(deps);
    });
    reply.headers(HEADERS);
    this.#cors.mark(request, reply);
    return exchange;
  }

  /** Runs before the body is read. @throws HttpFailure 503 while draining, 431 for too many headers */
  admit(request: FastifyRequest, reply: FastifyReply): void {
    this.begin(request, reply);
    if (this.#options.connections.isDraining) throw new HttpFailure(503);
    if (request.raw.rawHeaders.length > 2 * MAX_HEADER_FIELDS) throw new HttpFailure(431);
    // Fastify rejects an empty one; it says as much as none.
    if (request.raw.headers['content-type'] === '') delete request.raw.headers['content-type'];
  }

  /**
   * Answers once everything that arrived in this turn of the event loop is read: requests run the same code one after another, instead
   * of alternating with socket reads (decision 0015). A failure after the answer has begun cuts it short.
   */
  answer(request: FastifyRequest, reply: FastifyReply): void {
    const exchange = this.begin(request, reply);
    const { route } = exchange.match;
    setImmediate(() =>
      exchange.run(
        () =>
          route ? route.handle(request, reply, exchange.call) : this.#answerWithoutRoute(request, reply),
        (error) =>
          exchange.hasStartedResponse ? exchange.breakOff(error) : this.fail(error, request, reply),
      ),
    );
  }

  /** Answers a preflight. @throws HttpFailure 404 or 405 */
  #answerWithoutRoute(request: FastifyRequest, reply: FastifyReply): void {
    const { allow } = this.begin(request, reply).match;
    if (allow === undefined) throw new HttpFailure(404);
    reply.header('allow', allow);
    if (request.method !== 'OPTIONS') throw new HttpFailure(405);
    this.#cors.preflight(request, reply, allow);
    void reply.code(204).send();
  }

  /** Answers an error in the format of the request's path. */
  fail(error: unknown, request: FastifyRequest, reply: FastifyReply): void {
    const exchange = this.begin(request, reply);
    const { status, headers, body } = exchange.failWith(error);
    void reply.code(status).headers(headers).type('application/json').send(JSON.stringify(body));
  }
}

/** Makes the fastify instance of the HTTP server. Handlers get bodies as bytes: which content types are accepted is up to each route. */
export const createFastifyApp = (options: FastifyAppOptions): FastifyInstance => {
  const { connections, serverFactory, deps, trustedProxies } = options;
  const exchanges = new RequestHandler(options);
  const app = fastify<RawServerDefault>({
    bodyLimit: MAX_BODY_BYTES,
    exposeHeadRoutes: false,
    trustProxy: trustedProxies.length > 0 ? [...trustedProxies] : false,
    serverFactory,
    routerOptions: { querystringParser: () => NO_QUERY },
    frameworkErrors: (error, request, reply) => exchanges.fail(error, request, reply),
    clientErrorHandler: (error, socket) => rejectUnreadable(error, socket, { connections, deps }),
  });
  app.decorateRequest('exchange', null);
  app.removeAllContentTypeParsers();
  app.addContentTypeParser([...COMMON_TYPES, '*'], { parseAs: 'buffer' }, (_request, body, done) =>
    done(null, body),
  );
  app.addHook('onRequest', (request, reply, done) => {
    exchanges.admit(request, reply);
    done();
  });
  app.setErrorHandler((error, request, reply) => exchanges.fail(error, request, reply));
  app.all('*', (request, reply) => exchanges.answer(request, reply));
  // Methods for which fastify has no routes.
  app.setNotFoundHandler((request, reply) => exchanges.answer(request, reply));
  return app;
};

/** A connection that is ready for HTTP. */
interface OpenSocket {
  readonly connection: Connection;
  readonly exchanges: Set<RequestLifecycle>;
  /** Bytes that had been read of it when its last request ended. */
  readBefore: number;
}

/** Bytes that the client has not read: the responses that wait for the one before are not in the socket's buffer yet. */
const unsentOn = (socket: Socket, { exchanges }: OpenSocket): number => {
  let bytes = 0;
  for (const exchange of exchanges) bytes += exchange.unsentBytes;
  return Math.max(bytes, socket.writableLength);
};

/** A server's connections and the exchanges in progress on each, so that a drain closes idle connections and waits for the others. */
export class Connections {
  readonly #sockets = new Map<Socket, OpenSocket>();
  readonly #load: Pick<LoadLimits, 'bytes' | 'connections' | 'report'>;
  #isDraining = false;

  /** `load` has the budget for what requests and unread answers keep. */
  constructor(load: Pick<LoadLimits, 'bytes' | 'connections' | 'report'>) {
    this.#load = load;
  }

  /** Whether new requests are rejected. */
  get isDraining(): boolean {
    return this.#isDraining;
  }

  /** The connection is ready for HTTP. A TLS handshake may end after the server was closed: then it is destroyed. */
  secured(socket: Socket, connection: Connection | undefined): void {
    if (this.#isDraining || !connection) {
      socket.destroy();
      return;
    }
    const open: OpenSocket = { connection, exchanges: new Set(), readBefore: 0 };
    this.#sockets.set(socket, open);
    this.#load.bytes.watch(connection, () => socket.bytesRead - open.readBefore + unsentOn(socket, open));
    socket.once('close', () => this.#sockets.delete(socket));
  }

  /** A request has arrived. Closes the connection of a client that sends more and more without reading the responses. */
  begin(exchange: RequestLifecycle): void {
    const open = this.#sockets.get(exchange.socket);
    if (open?.exchanges.size === 0) open.connection.begin();
    open?.exchanges.add(exchange);
    if (open && open.exchanges.size > MAX_PIPELINED) {
      this.#load.report('http', 'pipelinedRequests', 'shed');
      this.#load.connections.penalize(open.connection.group, PIPELINING_COST);
      exchange.socket.destroy();
    }
    if (this.#isDraining) exchange.setConnectionClose();
  }

  end(exchange: RequestLifecycle): void {
    const open = this.#sockets.get(exchange.socket);
    if (!open?.exchanges.delete(exchange)) return;
    const { socket } = exchange;
    open.readBefore = socket.bytesRead;
    if (exchange.hasAuthenticated) open.connection.prove();
    if (open.exchanges.size > 0) return;
    open.connection.end();
    if (this.#isDraining) socket.destroySoon();
  }

  /** The exchanges in progress on a connection; undefined while its TLS handshake is not finished. */
  exchangesOn(socket: Socket): ReadonlySet<RequestLifecycle> | undefined {
    return this.#sockets.get(socket)?.exchanges;
  }

  /** A connection had no traffic for the stall timeout: destroys it, unless its client waits for an answer that is still being prepared. */
  timedOut(socket: Socket): void {
    const isWaiting = (this.exchangesOn(socket)?.size ?? 0) > 0 && socket.writableLength === 0;
    if (!isWaiting) socket.destroy();
  }

  /** Closes idle connections now, and each other one when its last exchange has ended. */
  drain(): void {
    this.#isDraining = true;
    for (const [socket, { exchanges }] of this.#sockets) {
      if (exchanges.size === 0) socket.destroy();
      for (const exchange of exchanges) exchange.setConnectionClose();
    }
  }
}
