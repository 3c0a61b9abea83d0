import type { ErrorFamily, Route } from './route.ts';

/** Where a request leads. */
export interface Place {
  /** The path of routes, or `unknown`: never the URL, which may hold anything. */
  readonly name: string;
  /** Undefined where the path is none, or has another method. */
  readonly route: Route | undefined;
  /** For the `Allow` header (RFC 9110 §10.2.1); undefined where the path is none. */
  readonly allow: string | undefined;
  readonly errors: ErrorFamily;
}

interface Known {
  readonly byMethod: ReadonlyMap<string, Place>;
  readonly elsewhere: Place;
}

/** What HTTP offers at a path besides its routes. */
const allowOf = (methods: Iterable<string>): string => [...methods, 'OPTIONS'].sort().join(', ');

const routesByMethod = (routes: readonly Route[]): ReadonlyMap<string, Route> => {
  const byMethod = new Map<string, Route>();
  for (const route of routes) {
    byMethod.set(route.method, route);
    if (route.method === 'GET') byMethod.set('HEAD', route);
  }
  return byMethod;
};

const knownOf = (name: string, routes: readonly Route[], errors: ErrorFamily): Known => {
  const byMethod = routesByMethod(routes);
  const elsewhere = { name, route: undefined, allow: allowOf(byMethod.keys()), errors };
  const places = [...byMethod].map(([method, route]) => [method, { ...elsewhere, route }] as const);
  return { byMethod: new Map(places), elsewhere };
};

/** Finds the place of a request by its path, as it was sent, and method. */
export type FindPlace = (path: string, method: string) => Place;

/**
 * Makes {@link FindPlace}: by paths that are the same to the letter, so that no encoding, no dot segment and no absolute URL leads to
 * a route. What is not known has the errors that `errorsOf` names.
 */
export const createRouteTable = (
  routes: readonly Route[],
  errorsOf: (path: string) => ErrorFamily,
): FindPlace => {
  const known = new Map<string, Known>();
  for (const [path, some = []] of Map.groupBy(routes, ({ path }) => path)) {
    known.set(path, knownOf(path, some, some[0]?.errors ?? errorsOf(path)));
  }
  return (path, method) => {
    const found = known.get(path);
    if (found) return found.byMethod.get(method) ?? found.elsewhere;
    return { name: 'unknown', route: undefined, allow: undefined, errors: errorsOf(path) };
  };
};
