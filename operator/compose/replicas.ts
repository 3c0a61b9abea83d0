import type { OwnerReference } from '../api/meta.ts';
import type { Config } from '../config/schema.ts';
import { areLimited } from '../domain/client/client-rules.ts';
import type { KubeClient } from '../kube/client.ts';
import { listWatchObjects } from '../kube/list-watch.ts';
import { LEASES } from '../kube/resource-client.ts';
import type { MonotonicClock } from '../ports/clock.ts';
import type { Lease } from '../ports/lease.ts';
import type { Log } from '../ports/log.ts';
import { CLIENT_INDEX, LIMITED } from '../reconcilers/oauth-client/client-indexes.ts';
import type { Component } from '../runtime/manager.ts';
import { REPLICA_LABEL, ReplicaLeases, type ReplicaLeasesOptions } from '../runtime/replica-leases.ts';
import type { Informers } from './informers.ts';
import { resourceClients } from './resources.ts';

/** What the Leases of the replicas are built from. */
export interface ReplicaParts
  extends Pick<ReplicaLeasesOptions, 'identity' | 'owner' | 'isLeading' | 'report' | 'onReports'> {
  /** Unique to the process, in the operator's namespace. */
  readonly name: string;
  /** Over the connection for Leases. */
  readonly client: KubeClient;
  readonly informers: Pick<Informers, 'clients'>;
  readonly clock: MonotonicClock;
  readonly log: Log;
}

/** More replicas than the API server could serve. */
const MAX_REPLICAS = 500;

/** This Pod, as the owner of objects in `namespace`; undefined where the downward API does not tell it, or it is in another namespace. */
export const podOwner = (
  { POD_NAME: name, POD_UID: uid, POD_NAMESPACE }: NodeJS.ProcessEnv,
  namespace: string,
): OwnerReference | undefined =>
  name && uid && POD_NAMESPACE === namespace ? { apiVersion: 'v1', kind: 'Pod', name, uid } : undefined;

/** Builds the Leases by which replicas know each other while a client or the configuration has a limit. */
export const buildReplicaLeases = (
  { kubernetes: { namespace }, limits }: Pick<Config, 'kubernetes' | 'limits'>,
  { name, client, informers, ...around }: ReplicaParts,
): ReplicaLeases => {
  const clients = informers.clients.cache;
  const areAllLimited = areLimited(limits.perClient);
  const leases = listWatchObjects<Lease>(client, LEASES, { namespace, labelSelector: REPLICA_LABEL });
  return new ReplicaLeases({
    ...around,
    lease: { namespace, name },
    leases: resourceClients(client).leases,
    listLeases: async (signal) => (await leases.list({ limit: MAX_REPLICAS, signal })).items,
    isNeeded: () => areAllLimited || clients.countByIndex(CLIENT_INDEX.limited, LIMITED) > 0,
  });
};

/** Runs them; the first client with a limit need not wait for the next period. */
export const replicasComponent = (
  replicas: ReplicaLeases,
  { clients: { cache } }: Pick<Informers, 'clients'>,
): Component => {
  let stopWatching = (): void => undefined;
  return {
    name: 'replicas',
    start: () => {
      stopWatching = cache.onChange(() => {
        if (!replicas.isSettled) replicas.wake();
      });
      replicas.start();
    },
    stop: async () => {
      stopWatching();
      await replicas.stop();
    },
  };
};
