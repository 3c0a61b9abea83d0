import {
  createLifecycle,
  type Lifecycle,
  type LifecycleOptions,
  type ServerHandle,
} from '../listener/lifecycle.ts';
import type { LoadLimits } from '../listener/load-limits.ts';
import type { ServerCertificates } from '../listener/server-certificates.ts';
import { Connections, createFastifyApp } from './fastify-app.ts';
import { LISTENER_LIMITS, type ListenerLimits } from './limits.ts';
import { createHttpListener, type HttpListener } from './listener.ts';
import type { HttpRequestDeps } from './request-lifecycle.ts';
import { createRouteTable } from './route.ts';
import { errorsElsewhere, type RouteOptions, routesOf } from './routes.ts';

export interface HttpServerOptions
  extends HttpRequestDeps,
    RouteOptions,
    Pick<LifecycleOptions, 'address' | 'tls'> {
  readonly corsOrigins: readonly string[];
  readonly trustedProxies: readonly string[];
  readonly load: LoadLimits;
  readonly limits?: ListenerLimits;
}

const build = async (
  options: HttpServerOptions,
  certificates: ServerCertificates | undefined,
): Promise<ServerHandle> => {
  const { clock, issuerUrl, load, log, metrics, tls, trustedProxies, limits = LISTENER_LIMITS } = options;
  const { clientCertificateRequired } = tls;
  const connections = new Connections(load);
  let listener: HttpListener | undefined;
  const app = createFastifyApp({
    findRoute: createRouteTable(routesOf(options), errorsElsewhere(issuerUrl)),
    corsOrigins: options.corsOrigins,
    trustedProxies,
    connections,
    serverFactory: (handler) => {
      listener = createHttpListener(
        { certificates, clientCertificateRequired, limits, connections, load, clock, log },
        handler,
      );
      return listener.server;
    },
    deps: { clock, log, metrics },
  });
  if (!listener) throw new Error('fastify has asked for no server');
  await app.ready();
  return {
    listener,
    drain: () => connections.drain(),
    release: async () => void (await app.close()),
  };
};

/** The HTTP server (spec §5). At {@link Lifecycle.stop} it takes no more connections and no more requests. */
export const createHttpServer = (options: HttpServerOptions): Lifecycle => {
  const { address, clock, log, tls } = options;
  return createLifecycle({ name: 'HTTP', address, tls, clock, log }, (certificates) =>
    build(options, certificates),
  );
};
