import { CRD_REVISION } from '../api/crd-revision.ts';
import type { Config } from '../config/schema.ts';
import type { IssuerKeyring } from '../issuer/keys/keyring.ts';
import type { KubeClient } from '../kube/client.ts';
import { createCrdRevisions } from '../kube/crd-revisions.ts';
import {
  ISSUED_TOKENS,
  OAUTH_CLIENTS,
  SIGNING_KEYS,
  TOKEN_BATCHES,
  TOKENS,
} from '../kube/resource-client.ts';
import { createLoopCheck } from '../ops/health.ts';
import type { PrometheusMetrics } from '../ops/metrics.ts';
import { createOpsServer, createProbeServer, type Probes } from '../ops/server.ts';
import type { MonotonicClock } from '../ports/clock.ts';
import type { Log } from '../ports/log.ts';
import type { Component } from '../runtime/manager.ts';
import { clockAgrees, informersAlive, informersSynced, watchedTypes } from './health.ts';
import type { Informers } from './informers.ts';

/** What the operations listener reports on. */
export interface OperationsParts {
  readonly clock: MonotonicClock;
  readonly log: Log;
  readonly registry: PrometheusMetrics['registry'];
  readonly client: KubeClient;
  readonly informers: Informers;
  readonly isServing: () => boolean;
  readonly keyring: IssuerKeyring;
}

/** Probes and metrics: first up, last down. */
export const operationsComponent = (
  { ops, probes: { address: probeAddress } }: Pick<Config, 'ops' | 'probes'>,
  { client, clock, informers, isServing, keyring, log, registry }: OperationsParts,
): Component => {
  const watched = watchedTypes(informers);
  const loop = createLoopCheck(clock);
  const stopping = new AbortController();
  const types = [TOKENS, ISSUED_TOKENS, TOKEN_BATCHES, OAUTH_CLIENTS, SIGNING_KEYS];
  const crds = createCrdRevisions({ client, clock, types, wanted: CRD_REVISION });
  const probes: Probes = {
    live: [loop, informersAlive(watched, clock)],
    ready: [
      informersSynced(watched, clock),
      { name: 'crds', problem: () => crds.problem() },
      clockAgrees(() => client.clockSkew.seconds),
      { name: 'keyring', problem: () => (keyring.loaded ? undefined : 'the signing key is not read yet') },
      { name: 'started', problem: () => (isServing() ? undefined : 'starting or stopping') },
    ],
  };
  const probeServer = createProbeServer({ address: probeAddress, probes, log });
  const opsServer = createOpsServer({ address: ops.address, probes, registry, clock, log });
  return {
    name: 'operations',
    start: async () => {
      crds.start(stopping.signal);
      const probePort = await probeServer.start();
      log.info('probe listener started', { host: probeAddress.host ?? 'all', port: probePort });
      const port = await opsServer.start();
      log.info('operations listener started', { host: ops.address.host ?? 'all', port });
    },
    stop: async () => {
      stopping.abort();
      loop.stop();
      await Promise.all([opsServer.stop(), probeServer.stop()]);
    },
  };
};
