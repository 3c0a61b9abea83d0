import { takeSharedCluster } from './shared-cluster.ts';

/** Ends the cluster that global-setup.ts started, and none that it found. */
export default async function globalTeardown(): Promise<void> {
  await takeSharedCluster()?.stop();
}
