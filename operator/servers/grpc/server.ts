import { Server, ServerCredentials } from '@grpc/grpc-js';
import { createLifecycle, type Lifecycle, type LifecycleOptions } from '../listener/lifecycle.ts';
import type { Listener } from '../listener/listener.ts';
import type { LoadLimits } from '../listener/load-limits.ts';
import type { ServerCertificates } from '../listener/server-certificates.ts';
import type { GrpcCallDeps } from './call.ts';
import { createHealth } from './health.ts';
import { gateHttp2, limitHttp2 } from './http2-server.ts';
import { HTTP2_LIMITS, SERVER_OPTIONS } from './limits.ts';
import { createGrpcListener } from './listener.ts';
import { serverCalls } from './server-call.ts';
import { addServices, type GrpcIssuer, HEALTH_NAMES } from './services.ts';
import { StreamGate } from './stream-gate.ts';

export interface GrpcServerOptions extends GrpcCallDeps, Pick<LifecycleOptions, 'address' | 'tls'> {
  readonly issuer: GrpcIssuer;
  /** Polled: whether calls can be answered now, for gRPC health. */
  readonly isServing: () => boolean;
  readonly load: LoadLimits;
}

/** The gRPC server (spec §4): M2MOAuthService with health and reflection. At {@link Lifecycle.stop} its health is NOT_SERVING first. */
export const createGrpcServer = (options: GrpcServerOptions): Lifecycle => {
  const { address, clock, issuer, isServing, load, log, metrics, tls, turns } = options;
  const health = createHealth({ services: HEALTH_NAMES, isServing, clock });
  let listener: Listener | undefined;
  const gate = new StreamGate({
    load,
    clock,
    connectionOf: (socket) => listener?.connectionOf(socket),
    defer: setImmediate,
  });
  const server = new Server({ ...SERVER_OPTIONS, interceptors: [serverCalls({ clock, load, gate })] });
  limitHttp2(server, HTTP2_LIMITS);
  addServices(server, { issuer, health, deps: { turns, clock, log, metrics } });
  const build = (certificates: ServerCertificates | undefined) => {
    const injector = server.createConnectionInjector(ServerCredentials.createInsecure());
    const { clientCertificateRequired } = tls;
    gateHttp2(server, gate);
    listener = createGrpcListener({ certificates, clientCertificateRequired, load, clock, log }, (socket) =>
      injector.injectConnection(socket),
    );
    return {
      listener,
      // Its callback comes too early: Node has closed the sessions by then that it waits for.
      drain: () => server.tryShutdown(() => undefined),
    };
  };
  const lifecycle = createLifecycle({ name: 'gRPC', address, tls, clock, log }, build);
  return {
    start: async (signal) => {
      const port = await lifecycle.start(signal);
      health.open();
      return port;
    },
    stop: (deadlineMs) => {
      health.close();
      return lifecycle.stop(deadlineMs);
    },
  };
};
