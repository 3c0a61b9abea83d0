import type { Cluster } from '../cluster/cluster.ts';

/** On globalThis, since jest loads global setup and teardown as modules of their own. */
const holder = globalThis as { m2mSharedCluster?: Cluster | undefined };

/** Passes the cluster from global setup to global teardown. */
export function keepSharedCluster(cluster: Cluster): void {
  holder.m2mSharedCluster = cluster;
}

/** The cluster that was kept, once; undefined where there is none. */
export function takeSharedCluster(): Cluster | undefined {
  const cluster = holder.m2mSharedCluster;
  holder.m2mSharedCluster = undefined;
  return cluster;
}
