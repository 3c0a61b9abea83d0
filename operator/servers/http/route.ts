import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Awaitable } from '../../async/map-awaitable.ts';
import type { Call } from '../../issuer/use-cases.ts';
import type { LogFields } from '../../ports/log.ts';

/** What a handler gets besides the request. Its signal aborts if the client disconnects before the response is complete. */
export interface HttpRequestContext extends Call {
  /** The value of the Authorization header. @throws IssuerFailure `BearerInvalid` if there are several */
  authorization(): string | undefined;
  /** Adds fields to the access log line of the request. */
  note(fields: LogFields): void;
}

type Method = 'GET' | 'POST' | 'DELETE';

/** An operation of the OpenAPI 3.1 document, as far as it is used. */
export type Operation = Readonly<Record<string, unknown>>;

/** The answer to a failed request; its body is JSON. */
export interface ErrorAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: object;
}

/** The error format of a family of paths. `purpose` is what the request was for ("create token"). */
export type ErrorFamily = (failure: unknown, purpose: string) => ErrorAnswer;

/** A path and method with its handler, errors and documentation. */
export interface Route {
  /** A GET route serves HEAD as well (RFC 9110 §9.3.2). */
  readonly method: Method;
  /** The full path, without parameters. Request paths are compared with it as they were sent. */
  readonly path: string;
  /** What the route does, for error messages: "cannot {purpose}: …". */
  readonly purpose: string;
  readonly errors: ErrorFamily;
  /** Log level of a successful request. */
  readonly successLevel: 'info' | 'debug';
  readonly operation: Operation;
  /** Whether everyone may call it, without credentials. */
  readonly isPublic?: true;
  /** Answers; what it throws is answered by `errors`. */
  readonly handle: (
    request: FastifyRequest,
    reply: FastifyReply,
    call: HttpRequestContext,
  ) => Awaitable<void>;
}

/** What a request's path and method lead to. */
export interface RouteMatch {
  /** The path of the routes, or `unknown`: never the URL, which may hold a secret. */
  readonly name: string;
  /** Undefined if no route has this path, or none of them this method. */
  readonly route: Route | undefined;
  /** For the `Allow` header (RFC 9110 §10.2.1); undefined if no route has this path. */
  readonly allow: string | undefined;
  readonly errors: ErrorFamily;
}

/** Finds the route of a request by its path, as it was sent (request-target.ts), and its method. */
export type FindRoute = (path: string, method: string) => RouteMatch;

interface PathEntry {
  readonly byMethod: ReadonlyMap<string, RouteMatch>;
  readonly otherMethods: RouteMatch;
}

/** OPTIONS is answered at every path that has a route. */
const allowOf = (methods: Iterable<string>): string => [...methods, 'OPTIONS'].sort().join(', ');

const routesByMethod = (routes: readonly Route[]): ReadonlyMap<string, Route> => {
  const byMethod = new Map<string, Route>();
  for (const route of routes) {
    byMethod.set(route.method, route);
    if (route.method === 'GET') byMethod.set('HEAD', route);
  }
  return byMethod;
};

const entryOf = (name: string, routes: readonly Route[], errors: ErrorFamily): PathEntry => {
  const byMethod = routesByMethod(routes);
  const otherMethods = { name, route: undefined, allow: allowOf(byMethod.keys()), errors };
  const matches = [...byMethod].map(([method, route]) => [method, { ...otherMethods, route }] as const);
  return { byMethod: new Map(matches), otherMethods };
};

/**
 * Makes {@link FindRoute}. Paths are compared literally, so that no percent-encoding or dot segment leads to a route (decision 0014). Paths without a route have the errors that `errorsOf` gives.
 */
export const createRouteTable = (
  routes: readonly Route[],
  errorsOf: (path: string) => ErrorFamily,
): FindRoute => {
  const entries = new Map<string, PathEntry>();
  for (const [path, some = []] of Map.groupBy(routes, (route) => route.path)) {
    entries.set(path, entryOf(path, some, some[0]?.errors ?? errorsOf(path)));
  }
  return (path, method) => {
    const entry = entries.get(path);
    if (entry) return entry.byMethod.get(method) ?? entry.otherMethods;
    return { name: 'unknown', route: undefined, allow: undefined, errors: errorsOf(path) };
  };
};
