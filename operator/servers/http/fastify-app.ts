import {
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  type FastifyServerFactory,
  fastify,
  type RawServerDefault,
} from 'fastify';
import type { HttpCallDeps } from './access-log.ts';
import type { Connections } from './connections.ts';
import type { Cors } from './cors.ts';
import { Exchange } from './exchange.ts';
import { HttpFailure } from './http-failure.ts';
import { MAX_BODY_BYTES, MAX_HEADER_FIELDS } from './limits.ts';
import type { FindPlace } from './route-table.ts';
import { refuseUnreadable } from './unreadable.ts';

export interface FastifyAppOptions {
  readonly findPlace: FindPlace;
  readonly cors: Cors;
  /** Whose X-Forwarded-For is believed. */
  readonly trustedProxies: readonly string[];
  readonly connections: Connections;
  readonly serverFactory: FastifyServerFactory;
  readonly tools: HttpCallDeps;
}

/** On every answer: it is data for programs, not to be guessed at, framed or kept. */
const HEADERS = {
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'cache-control': 'no-store',
};

const NO_QUERY = {};

/** Read as any other. Fastify remembers the way of those that it knows by name, and looks for that of others each time. */
const USUAL_TYPES = ['application/x-www-form-urlencoded', 'application/json'];

const pathOf = ({ raw }: FastifyRequest): string => {
  const url = raw.url ?? '';
  const end = url.indexOf('?');
  return end < 0 ? url : url.slice(0, end);
};

declare module 'fastify' {
  interface FastifyRequest {
    /** Of this request, once it has begun. */
    exchange: Exchange | null | undefined;
  }
}

/** Every request's way through fastify, which reads bodies and writes answers; where one leads is for `findPlace` to say. */
class HttpExchanges {
  readonly #options: FastifyAppOptions;

  constructor(options: FastifyAppOptions) {
    this.#options = options;
  }

  /** Begins the exchange of a request as soon as there is one. Fastify answers some without its hooks. */
  begin(request: FastifyRequest, reply: FastifyReply): Exchange {
    if (request.exchange) return request.exchange;
    const { findPlace, cors, connections, tools } = this.#options;
    const place = findPlace(pathOf(request), request.method);
    const exchange = new Exchange(request, reply, { place, startedAt: tools.clock.monotonic() });
    request.exchange = exchange;
    connections.begin(exchange);
    exchange.whenOver(() => {
      connections.end(exchange);
      exchange.close(tools);
    });
    reply.headers(HEADERS);
    cors.mark(request, reply);
    return exchange;
  }

  /** Before anything is read but the headers. @throws HttpFailure */
  admit(request: FastifyRequest, reply: FastifyReply): void {
    this.begin(request, reply);
    if (this.#options.connections.isDraining) throw new HttpFailure(503);
    if (request.raw.rawHeaders.length > 2 * MAX_HEADER_FIELDS) throw new HttpFailure(431);
  }

  /**
   * Answers when all that came in this turn of the event loop is read: one request after the other through the same code, instead of
   * a socket's reading between each two (decisions/0015). What fails when the answer has begun can't be answered any more.
   */
  answer(request: FastifyRequest, reply: FastifyReply): void {
    const exchange = this.begin(request, reply);
    const { route } = exchange.place;
    setImmediate(() =>
      exchange.run(
        () => (route ? route.handle(request, reply, exchange.call) : this.#answerElsewhere(request, reply)),
        (error) => (exchange.isAnswered ? exchange.breakOff(error) : this.fail(error, request, reply)),
      ),
    );
  }

  /** What HTTP itself has to say where no route is. @throws HttpFailure */
  #answerElsewhere(request: FastifyRequest, reply: FastifyReply): void {
    const { allow } = this.begin(request, reply).place;
    if (allow === undefined) throw new HttpFailure(404);
    reply.header('allow', allow);
    if (request.method !== 'OPTIONS') throw new HttpFailure(405);
    this.#options.cors.preflight(request, reply, allow);
    void reply.code(204).send();
  }

  fail(error: unknown, request: FastifyRequest, reply: FastifyReply): void {
    const exchange = this.begin(request, reply);
    const { status, headers, body } = exchange.answerOf(error);
    void reply.code(status).headers(headers).type('application/json').send(JSON.stringify(body));
  }
}

/** Makes the fastify instance behind the door. Bodies come to handlers as they are: what their type has to be is for each route to say. */
export const createFastifyApp = (options: FastifyAppOptions): FastifyInstance => {
  const { connections, serverFactory, tools, trustedProxies } = options;
  const door = new HttpExchanges(options);
  const app = fastify<RawServerDefault>({
    bodyLimit: MAX_BODY_BYTES,
    exposeHeadRoutes: false,
    trustProxy: trustedProxies.length > 0 ? [...trustedProxies] : false,
    serverFactory,
    routerOptions: { querystringParser: () => NO_QUERY },
    frameworkErrors: (error, request, reply) => door.fail(error, request, reply),
    clientErrorHandler: (error, socket) => refuseUnreadable(error, socket, { connections, tools }),
  });
  app.decorateRequest('exchange', null);
  app.removeAllContentTypeParsers();
  app.addContentTypeParser([...USUAL_TYPES, '*'], { parseAs: 'buffer' }, (_request, body, done) =>
    done(null, body),
  );
  app.addHook('onRequest', (request, reply, done) => {
    door.admit(request, reply);
    done();
  });
  app.setErrorHandler((error, request, reply) => door.fail(error, request, reply));
  app.all('*', (request, reply) => door.answer(request, reply));
  // Methods that fastify has no routes for.
  app.setNotFoundHandler((request, reply) => door.answer(request, reply));
  return app;
};
