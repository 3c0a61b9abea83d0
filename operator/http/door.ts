import {
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  type FastifyServerFactory,
  fastify,
  type RawServerDefault,
} from 'fastify';
import { type DoorTools, noteEnd } from './access-log.ts';
import { type Cors, createCors } from './cors.ts';
import { type HttpCall, openCall } from './http-call.ts';
import { HttpFailure, statusOfFastify, TEXTS } from './http-failure.ts';
import { MAX_BODY_BYTES } from './limits.ts';
import { oauthErrors } from './oauth-errors.ts';
import type { ErrorFamily, Route } from './route.ts';
import { rpcErrors } from './rpc-errors.ts';

export interface DoorOptions {
  readonly routes: readonly Route[];
  /** Paths that begin so answer errors as google.rpc.Status, whatever layer they come from. */
  readonly rpcPrefix: string;
  readonly corsOrigins: readonly string[];
  /** Whose X-Forwarded-For is believed. */
  readonly trustedProxies: readonly string[];
  readonly serverFactory: FastifyServerFactory;
  readonly tools: DoorTools;
}

/** A request under way, by its own object. */
interface Pending {
  readonly startedAt: number;
  readonly call: HttpCall;
  readonly route: Route | undefined;
  error?: unknown;
}

const SECURITY_HEADERS = {
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'cache-control': 'no-store',
};

const pathOf = ({ raw }: FastifyRequest): string => raw.url?.split('?', 1)[0] ?? '';

/** Routes by path and method; what `HEAD` and `OPTIONS` say follows from them. */
class RouteTable {
  readonly #byPath = new Map<string, Map<string, Route>>();

  constructor(routes: readonly Route[]) {
    for (const route of routes) {
      const methods = this.#byPath.get(route.path) ?? new Map<string, Route>();
      methods.set(route.method, route);
      this.#byPath.set(route.path, methods);
    }
  }

  get paths(): Iterable<string> {
    return this.#byPath.keys();
  }

  /** The route of a path that is the same to the letter: no encoding, no dot segment leads to one. */
  find(path: string, method: string): Route | undefined {
    return this.#byPath.get(path)?.get(method);
  }

  /** Undefined for a path that is none. */
  allow(path: string): string | undefined {
    const methods = this.#byPath.get(path);
    if (!methods) return undefined;
    const readable = methods.has('GET') && !isStreamed(methods.get('GET')) ? ['HEAD'] : [];
    return [...methods.keys(), ...readable, 'OPTIONS'].sort().join(', ');
  }
}

/** A bearer's list has no length that could be told without making it. */
const isStreamed = (route: Route | undefined): boolean => route?.operation.security !== undefined;

/** The routes, their errors and their log on a fastify instance that does not listen yet. */
export class Door {
  readonly app: FastifyInstance;
  readonly #options: DoorOptions;
  readonly #table: RouteTable;
  readonly #cors: Cors;
  readonly #pending = new WeakMap<FastifyRequest, Pending>();

  constructor(options: DoorOptions) {
    this.#options = options;
    this.#table = new RouteTable(options.routes);
    this.#cors = createCors(options.corsOrigins);
    this.app = this.#build();
  }

  #build(): FastifyInstance {
    const { routes, serverFactory, trustedProxies } = this.#options;
    const app = fastify<RawServerDefault>({
      bodyLimit: MAX_BODY_BYTES,
      exposeHeadRoutes: false,
      trustProxy: trustedProxies.length > 0 ? [...trustedProxies] : false,
      forceCloseConnections: 'idle',
      serverFactory,
      frameworkErrors: (error, request, reply) => this.#fail(error, request, reply),
      clientErrorHandler: (_error, socket) => refuseUnreadable(socket),
    });
    // Every body comes as it is: what its type has to be is for each route to say.
    app.removeAllContentTypeParsers();
    app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body));
    app.addHook('onRequest', async (request, reply) => this.#begin(request, reply));
    app.addHook('onResponse', async (request, reply) => this.#end(request, reply));
    app.setErrorHandler((error, request, reply) => this.#fail(error, request, reply));
    app.setNotFoundHandler((request, reply) => this.#missing(request, reply));
    for (const route of routes) this.#add(app, route);
    return app;
  }

  #add(app: FastifyInstance, route: Route): void {
    app.route({
      method: route.method === 'GET' && !isStreamed(route) ? ['GET', 'HEAD'] : route.method,
      url: route.path,
      handler: async (request, reply) => {
        const call = this.#pending.get(request)?.call;
        if (!call) throw new Error('a request that has not begun');
        await route.handle(request, reply, call);
        return reply;
      },
    });
  }

  #begin(request: FastifyRequest, reply: FastifyReply): void {
    const path = pathOf(request);
    const method = request.method === 'HEAD' ? 'GET' : request.method;
    const route = this.#table.find(path, method);
    const startedAt = this.#options.tools.clock.monotonic();
    this.#pending.set(request, { startedAt, call: openCall(request, reply), route });
    reply.headers(SECURITY_HEADERS);
    this.#cors.mark(request, reply);
    // The router reads encodings: what reaches a route by another spelling is not that route.
    if (route === undefined && request.routeOptions.url !== undefined) {
      throw new HttpFailure(404, TEXTS[404] ?? '');
    }
  }

  #missing(request: FastifyRequest, reply: FastifyReply): FastifyReply {
    const allow = this.#table.allow(pathOf(request));
    if (allow === undefined) return this.#fail(new HttpFailure(404, TEXTS[404] ?? ''), request, reply);
    reply.header('allow', allow);
    if (request.method !== 'OPTIONS') {
      return this.#fail(new HttpFailure(405, TEXTS[405] ?? ''), request, reply);
    }
    this.#cors.preflight(request, reply, allow);
    return reply.code(204).send();
  }

  #errorsOf(request: FastifyRequest, route: Route | undefined): ErrorFamily {
    if (route) return route.errors;
    const path = pathOf(request);
    const { rpcPrefix } = this.#options;
    return path === rpcPrefix || path.startsWith(`${rpcPrefix}/`) ? rpcErrors : oauthErrors;
  }

  #fail(error: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply {
    const pending = this.#pending.get(request);
    if (pending) pending.error = error;
    const { route } = pending ?? {};
    this.#errorsOf(request, route).send(error, reply, route?.purpose ?? 'answer');
    return reply;
  }

  #end(request: FastifyRequest, reply: FastifyReply): void {
    const { startedAt, call, route, error } = this.#pending.get(request) ?? {};
    if (startedAt === undefined || call === undefined) return;
    const isOwnWord = error instanceof HttpFailure || statusOfFastify(error) !== undefined;
    noteEnd(this.#options.tools, {
      route: route?.path ?? 'unknown',
      method: request.method,
      status: reply.raw.statusCode,
      startedAt,
      address: call.address,
      successLevel: route?.successLevel ?? 'debug',
      notes: call.notes,
      ...(error !== undefined && !isOwnWord && { error }),
    });
  }
}

/** What is no HTTP gets a status and no body: nobody knows whom it was for. */
const refuseUnreadable = (socket: import('node:net').Socket): void => {
  if (socket.writable)
    socket.end('HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n');
  else socket.destroy();
};
