import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Cluster, findKubeconfig, removeCluster, startCluster } from '../cluster/cluster.ts';

/** A control plane, and whether another suite of the same run has used it before. */
export interface PooledCluster {
  readonly cluster: Cluster;
  readonly isNew: boolean;
  /** Leaves it to the next suite, or stops it where there is no pool. */
  release(): Promise<void>;
}

/** Names the folder of the pool; suites run in other processes than the global setup. */
const POOL = 'M2M_TEST_CLUSTER_POOL';

/** Makes a pool for this run of jest; empty until suites need clusters. */
export const openClusterPool = async (): Promise<void> => {
  process.env[POOL] = await mkdtemp(join(tmpdir(), 'm2m-cluster-pool-'));
};

/** Stops the clusters of the pool. */
export const closeClusterPool = async (): Promise<void> => {
  const pool = process.env[POOL];
  if (!pool) return;
  delete process.env[POOL];
  for (const name of await readdir(pool)) await removeCluster(join(pool, name));
  await rm(pool, { recursive: true, force: true });
};

/** @returns whether the lock is ours now; it is free again when the file is removed. */
const lock = async (path: string): Promise<boolean> => {
  try {
    await writeFile(path, String(process.pid), { flag: 'wx' });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
};

/**
 * A cluster that no other suite uses now: one of the pool with every part running, a new one where all of them are in
 * use. It keeps the objects of the suites before.
 */
export const takeCluster = async (): Promise<PooledCluster> => {
  const pool = process.env[POOL];
  if (!pool) {
    const cluster = await startCluster();
    return { cluster, isNew: true, release: () => cluster.stop() };
  }
  let number = 1;
  const lockOf = (): string => join(pool, `${number}.lock`);
  while (!(await lock(lockOf()))) number += 1;
  const lockPath = lockOf();
  const dir = join(pool, String(number));
  const isNew = (await findKubeconfig(dir)) === undefined;
  // The process that started it has a watchdog for it.
  const cluster = await startCluster({ dir, outliveProcess: !isNew });
  return { cluster, isNew, release: () => rm(lockPath) };
};
