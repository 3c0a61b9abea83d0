import type { Config } from '../config/schema.ts';
import { createGrpcDoor } from '../grpc/server.ts';
import type { Issuer } from '../issuer/use-cases.ts';
import type { MonotonicClock } from '../ports/clock.ts';
import type { Log } from '../ports/log.ts';
import type { Metrics } from '../ports/metrics.ts';
import type { Component } from '../runtime/manager.ts';

/** What the doors are built from. */
export interface DoorParts {
  readonly issuer: Issuer;
  /** Whether calls can be answered: this replica is ready, and its caches are in step. */
  readonly isServing: () => boolean;
  readonly clock: MonotonicClock;
  readonly log: Log;
  readonly metrics: Metrics;
}

/** The listeners for users, the same on every replica. */
export const buildDoors = ({ grpc }: Config, parts: DoorParts): Component[] => {
  const door = createGrpcDoor({ ...parts, address: grpc.address, tls: grpc.tls });
  return [
    {
      name: 'grpc',
      start: async (signal) => void (await door.start(signal)),
      stop: (deadlineMs) => door.stop(deadlineMs),
    },
  ];
};
