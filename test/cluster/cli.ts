import { join, resolve } from 'node:path';
import { ensureBinaries } from './binaries.ts';
import { binarySets } from './binary-sources.ts';
import { parseCommandLine, type Request, usage } from './cli-arguments.ts';
import { findKubeconfig, removeCluster, startCluster } from './cluster.ts';
import { ClusterError } from './cluster-error.ts';

const defaultDir = join(import.meta.dirname, '..', '..', '.cluster');

/** Carries out a request; returns the exit code. Paths go to stdout, everything else to stderr. */
async function run(request: Request, signal: AbortSignal): Promise<number> {
  switch (request.command) {
    case 'help':
      console.log(usage);
      return 0;
    case 'refuse':
      console.error(request.message);
      return 2;
    case 'up': {
      await ensureBinaries(binarySets[request.node ? 'node' : 'run'], { signal });
      const startedAt = performance.now();
      console.error('starting etcd, kube-apiserver and kube-controller-manager');
      const dir = resolve(request.dir ?? defaultDir);
      const cluster = await startCluster({ dir, signal, outliveProcess: true, node: request.node });
      console.error(`ready after ${((performance.now() - startedAt) / 1000).toFixed(1)} s at ${cluster.url}`);
      console.log(cluster.kubeconfigPath);
      return 0;
    }
    case 'down': {
      const dir = resolve(request.dir ?? defaultDir);
      console.error((await removeCluster(dir)) ? `removed ${dir}` : `no cluster in ${dir}`);
      return 0;
    }
    case 'kubeconfig': {
      const dir = resolve(request.dir ?? defaultDir);
      const path = await findKubeconfig(dir);
      if (path) console.log(path);
      else console.error(`no cluster in ${dir}; start one with: npm run cluster -- up`);
      return path ? 0 : 1;
    }
  }
}

const interrupted = new AbortController();
for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => interrupted.abort());

try {
  process.exitCode = await run(parseCommandLine(process.argv.slice(2)), interrupted.signal);
} catch (error) {
  if (interrupted.signal.aborted) console.error('interrupted');
  else console.error(error instanceof ClusterError ? error.message : error);
  process.exitCode = interrupted.signal.aborted ? 130 : 1;
}
