import { execFileSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readKubeconfig } from '../../cluster/kubeconfig.ts';
import type { OperatorOptions } from '../../support/operator-process.ts';
import { type BenchEnv, SYSTEM } from './bench-env.ts';
import { note } from './scale.ts';

/**
 * An operator as its pod runs it: with the credentials of its ServiceAccount and no more rights than that has. A kubeconfig would have
 * it load client-node besides, which no pod does: 40 MB and a third of a second.
 */

const SERVICE_ACCOUNT = `/api/v1/namespaces/${SYSTEM}/serviceaccounts/m2m-oauth-operator`;
const HOUR_SECONDS = 3600;

/** Puts what is in the folder `$1` where a pod has its credentials, for the command behind it alone. */
const MOUNTED = [
  'unshare',
  '--mount',
  'sh',
  '-ec',
  'run=$(readlink -f /var/run); folder=$1; shift; mount -t tmpfs tmpfs "$run"; mkdir -p "$run/secrets/kubernetes.io/serviceaccount"; cp "$folder"/* "$run/secrets/kubernetes.io/serviceaccount/"; exec "$@"',
  'sh',
];

const mayMount = (folder: string): boolean => {
  try {
    const [program = '', ...args] = [...MOUNTED, folder, 'true'];
    execFileSync(program, args, { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
};

/** What of an operator's options makes it one in a pod. */
export interface Pod {
  readonly options: Pick<OperatorOptions, 'env' | 'launcher'>;
  close(): Promise<void>;
}

/** Fetches credentials and keeps them for as long as operators start with them. Without the right to mount (root has it) it is a kubeconfig after all. */
export const openPod = async ({ cluster, server }: BenchEnv): Promise<Pod> => {
  const folder = await mkdtemp(join(tmpdir(), 'm2m-bench-pod-'));
  const close = (): Promise<void> => rm(folder, { recursive: true });
  const { server: url, ca } = readKubeconfig(cluster.kubeconfigPath);
  const { status } = await server.write('POST', `${SERVICE_ACCOUNT}/token`, {
    apiVersion: 'authentication.k8s.io/v1',
    kind: 'TokenRequest',
    spec: { expirationSeconds: HOUR_SECONDS },
  });
  await writeFile(join(folder, 'token'), status.token, { mode: 0o600 });
  await writeFile(join(folder, 'ca.crt'), ca);
  if (!mayMount(folder)) {
    note('no right to mount: operators start with a kubeconfig instead of a pod’s credentials');
    return { options: {}, close };
  }
  const { hostname, port } = new URL(url);
  return {
    options: {
      env: {
        KUBECONFIG: '',
        KUBERNETES_SERVICE_HOST: hostname,
        KUBERNETES_SERVICE_PORT: port,
        POD_NAMESPACE: SYSTEM,
      },
      launcher: [...MOUNTED, folder],
    },
    close,
  };
};
