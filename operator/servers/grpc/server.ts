import { Server, ServerCredentials } from '@grpc/grpc-js';
import type { Clock } from '../../ports/clock.ts';
import { openServerCertificates, type ServerCertificates } from '../listener/server-certificates.ts';
import { protectionOf, type ServerTls } from '../listener/server-tls.ts';
import type { GrpcCallDeps } from './call.ts';
import { createHealth } from './health.ts';
import { MAX_CONNECTIONS, SERVER_OPTIONS } from './limits.ts';
import { createListener, type Listener } from './listener.ts';
import { serverCalls } from './server-call.ts';
import { addServices, type GrpcIssuer, HEALTH_NAMES } from './services.ts';

export interface GrpcServerOptions extends GrpcCallDeps {
  readonly address: { readonly host: string; readonly port: number };
  readonly tls: ServerTls;
  readonly issuer: GrpcIssuer;
  /** Polled: whether calls can be answered now, for gRPC health. */
  readonly isServing: () => boolean;
}

/** The gRPC listener (spec §4). */
export interface GrpcServer {
  /** Listens; resolves with the port that was taken. @throws Error where the certificates or the address can't be used */
  start(signal: AbortSignal): Promise<number>;
  /** Reports NOT_SERVING, accepts no new connections, waits for running calls, and has cut those that remain when `deadlineMs` have passed. */
  stop(deadlineMs: number): Promise<void>;
}

/** What cutting connections may take of the time for a stop. */
const CUT_MS = 250;

/** Tells clients to go elsewhere; resolves when their calls have ended, or shortly before `deadlineMs`. */
const drain = (server: Server, listener: Listener, clock: Clock, deadlineMs: number): Promise<void> =>
  new Promise((resolve) => {
    const cancel = clock.after(Math.max(0, deadlineMs - CUT_MS), resolve);
    void listener.close().then(() => {
      cancel();
      resolve();
    });
    // Its own word that all is over comes too soon: Node has closed the sessions by then that it wants to wait for.
    server.tryShutdown(() => undefined);
  });

/** Makes M2MOAuthService with health and reflection. Nothing is read and nothing listens before {@link GrpcServer.start}. */
export const createGrpcServer = (options: GrpcServerOptions): GrpcServer => {
  const { address, clock, issuer, isServing, log, metrics, tls } = options;
  const health = createHealth({ services: HEALTH_NAMES, isServing, clock });
  const server = new Server({ ...SERVER_OPTIONS, interceptors: [serverCalls(clock)] });
  addServices(server, { issuer, health, deps: { clock, log, metrics } });
  let certificates: ServerCertificates | undefined;
  let listener: Listener | undefined;
  return {
    start: async (signal) => {
      if (tls.certFile !== '') certificates = await openServerCertificates({ files: tls, clock, log });
      signal.throwIfAborted();
      const injector = server.createConnectionInjector(ServerCredentials.createInsecure());
      const { clientCertificateRequired } = tls;
      listener = createListener(
        { certificates, clientCertificateRequired, maxConnections: MAX_CONNECTIONS, log },
        (socket) => injector.injectConnection(socket),
      );
      const port = await listener.listen(address);
      health.open();
      log.info('gRPC listener started', { host: address.host, port, tls: protectionOf(tls) });
      return port;
    },
    stop: async (deadlineMs) => {
      health.close();
      if (listener) await drain(server, listener, clock, deadlineMs);
      listener?.cut();
      certificates?.stop();
    },
  };
};
