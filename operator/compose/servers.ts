import type { Config } from '../config/schema.ts';
import type { Issuer } from '../issuer/use-cases.ts';
import type { MonotonicClock } from '../ports/clock.ts';
import type { Log } from '../ports/log.ts';
import type { Metrics } from '../ports/metrics.ts';
import type { PublicKeys } from '../ports/signing.ts';
import type { Component } from '../runtime/manager.ts';
import { createGrpcDoor } from '../servers/grpc/server.ts';
import { createHttpDoor } from '../servers/http/server.ts';

/** What the doors are built from. */
export interface DoorParts {
  readonly issuer: Issuer;
  readonly keys: PublicKeys;
  readonly version: string;
  /** Whether calls can be answered: this replica is ready, and its caches are in step. */
  readonly isServing: () => boolean;
  readonly clock: MonotonicClock;
  readonly log: Log;
  readonly metrics: Metrics;
}

interface Door {
  start(signal: AbortSignal): Promise<number>;
  stop(deadlineMs: number): Promise<void>;
}

const componentOf = (name: string, door: Door): Component => ({
  name,
  start: async (signal) => void (await door.start(signal)),
  stop: (deadlineMs) => door.stop(deadlineMs),
});

/** The listeners for users, the same on every replica. */
export const buildDoors = ({ grpc, http, issuer }: Config, parts: DoorParts): Component[] => [
  componentOf('grpc', createGrpcDoor({ ...parts, address: grpc.address, tls: grpc.tls })),
  componentOf(
    'http',
    createHttpDoor({
      ...parts,
      address: http.address,
      tls: http.tls,
      corsOrigins: http.cors.origins,
      trustedProxies: http.trustedProxies,
      issuerUrl: issuer.url,
    }),
  ),
];
