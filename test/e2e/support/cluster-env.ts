import { join } from 'node:path';
import { locateBinary } from '../../cluster/binaries.ts';
import type { Cluster } from '../../cluster/cluster.ts';
import { BUILDAH_ENV, importFromBuildah } from '../../cluster/node/images.ts';
import { nodePaths } from '../../cluster/node/layout.ts';
import { SEARCH_PATH } from '../../cluster/node/machine.ts';
import { outputOf } from '../../support/command.ts';

export const ROOT = join(import.meta.dirname, '../../..');
export const SYSTEM = 'm2m-oauth-system';
export const RELEASE = 'm2m-oauth-operator';
/** `docker` for the pages of documentation, whatever else this machine has. */
const SCRIPTS = join(import.meta.dirname, '../scripts');

/** What a person at a terminal has: helm and kubectl, on the cluster of the walk. */
export interface ClusterEnv {
  readonly kubectl: (...args: string[]) => Promise<string>;
  /** `kubectl apply --server-side -f -` */
  readonly apply: (manifest: string) => Promise<string>;
  readonly helm: (...args: string[]) => Promise<string>;
  /** Runs a script of bash, in the repository unless said otherwise, with kubectl, helm and a docker on its PATH. */
  readonly bash: (script: string, cwd?: string) => Promise<string>;
  /** Takes an image from buildah's storage to the node, under `name`. */
  readonly load: (image: string, name: string) => Promise<void>;
}

/** The tools, pointed at a cluster. */
export const envOf = async ({ kubeconfigPath, dir }: Cluster): Promise<ClusterEnv> => {
  const tools = { kubectl: await locateBinary('kubectl'), helm: await locateBinary('helm') };
  const env = {
    KUBECONFIG: kubeconfigPath,
    HELM_CACHE_HOME: join(dir, 'helm/cache'),
    HELM_CONFIG_HOME: join(dir, 'helm/config'),
    HELM_DATA_HOME: join(dir, 'helm/data'),
  };
  const folders = Object.values(tools).map((tool) => join(tool, '..'));
  const terminal = {
    ...env,
    ...BUILDAH_ENV,
    BUILDER: 'buildah',
    M2M_NODE_SOCKET: nodePaths(dir).socket,
    PATH: [SCRIPTS, ...folders, SEARCH_PATH].join(':'),
  };
  return {
    kubectl: (...args) => outputOf(tools.kubectl, args, { env }),
    apply: (manifest) =>
      outputOf(tools.kubectl, ['apply', '--server-side', '--force-conflicts', '-f', '-'], {
        env,
        stdin: manifest,
      }),
    helm: (...args) => outputOf(tools.helm, args, { env, cwd: ROOT }),
    bash: (script, cwd = ROOT) =>
      outputOf('bash', ['-euo', 'pipefail', '-c', script], { env: terminal, cwd }),
    load: (image, name) => importFromBuildah(dir, image, name),
  };
};
