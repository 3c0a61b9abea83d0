import { closeClusterPool } from './cluster-pool.ts';
import { takeSharedCluster } from './shared-cluster.ts';

/** Ends the clusters that global-setup.ts and suites started, and none that it found. */
export default async function globalTeardown(): Promise<void> {
  await closeClusterPool();
  await takeSharedCluster()?.stop();
}
