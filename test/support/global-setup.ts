import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { startCluster } from '../cluster/cluster.ts';
import { testApi } from './api.ts';
import { applyFiles } from './apply.ts';
import { openClusterPool } from './cluster-pool.ts';
import { keepSharedCluster } from './shared-cluster.ts';

const definitions = join(import.meta.dirname, '..', '..', 'crds');

/**
 * Starts the one cluster that the integration tests share, with the CustomResourceDefinitions in place, and tells
 * them by M2M_TEST_KUBECONFIG. Where that is set already, the cluster it names is used as it is.
 */
export default async function globalSetup(): Promise<void> {
  await openClusterPool();
  if (process.env.M2M_TEST_KUBECONFIG) return;
  const cluster = await startCluster();
  keepSharedCluster(cluster);
  process.env.M2M_TEST_KUBECONFIG = cluster.kubeconfigPath;
  if (!existsSync(definitions)) return;
  const api = testApi(cluster.kubeconfigPath);
  await applyFiles(api, [definitions]).finally(api.close);
  // The garbage collector looks for new kinds every 30 s, but at its start at once.
  await cluster.kill('controllerManager');
  await cluster.start('controllerManager');
}
