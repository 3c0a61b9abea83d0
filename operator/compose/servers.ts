import type { FairTurns } from '../async/fair-turns.ts';
import type { Config } from '../config/schema.ts';
import type { Issuer } from '../issuer/use-cases.ts';
import type { MonotonicClock } from '../ports/clock.ts';
import type { Log } from '../ports/log.ts';
import type { Metrics } from '../ports/metrics.ts';
import type { PublicKeys } from '../ports/signing.ts';
import type { Component } from '../runtime/manager.ts';
import { createGrpcServer } from '../servers/grpc/server.ts';
import { createHttpServer } from '../servers/http/server.ts';
import type { Lifecycle } from '../servers/listener/lifecycle.ts';
import { createLoadLimits } from '../servers/listener/load-limits.ts';

/** What the servers are built from. */
export interface ServerParts {
  readonly issuer: Issuer;
  /** In which requests start. */
  readonly turns: FairTurns;
  readonly keys: PublicKeys;
  readonly version: string;
  /** Whether calls can be answered: this replica is ready, and its caches are fresh. */
  readonly isServing: () => boolean;
  readonly clock: MonotonicClock;
  readonly log: Log;
  readonly metrics: Metrics;
}

const componentOf = (name: string, server: Lifecycle): Component => ({
  name,
  start: async (signal) => void (await server.start(signal)),
  stop: (deadlineMs) => server.stop(deadlineMs),
});

/** The listeners for users, the same on every replica. */
export const buildServers = (config: Config, parts: ServerParts): Component[] => {
  const { grpc, http } = config;
  const { issuer, turns, keys, version, isServing, clock, log, metrics } = parts;
  const load = createLoadLimits({
    connections: config.limits.connections,
    perAddress: config.limits.perAddress,
    trustedProxies: http.trustedProxies,
    clock,
    log,
    metrics,
  });
  const grpcServer = createGrpcServer({
    issuer,
    turns,
    isServing,
    load,
    clock,
    log,
    metrics,
    address: grpc.address,
    tls: grpc.tls,
  });
  const httpServer = createHttpServer({
    issuer,
    keys,
    version,
    load,
    clock,
    log,
    metrics,
    address: http.address,
    tls: http.tls,
    corsOrigins: http.cors.origins,
    trustedProxies: http.trustedProxies,
    issuerUrl: config.issuer.url,
    previousURLs: config.issuer.previousURLs,
  });
  return [componentOf('grpc', grpcServer), componentOf('http', httpServer)];
};
