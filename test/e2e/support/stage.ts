import { join } from 'node:path';
import { ensureBinary } from '../../cluster/binaries.ts';
import type { Cluster } from '../../cluster/cluster.ts';
import { BUILDAH_ENV, importFromBuildah } from '../../cluster/node/images.ts';
import { BUILD_IMAGE, ensureBaseImages, RUNTIME_IMAGE } from './base-images.ts';
import { outputOf } from './command.ts';

export const ROOT = join(import.meta.dirname, '../../..');
export const SYSTEM = 'm2m-oauth-system';
export const RELEASE = 'm2m-oauth-operator';
const REPOSITORY = 'docker.io/library/m2m-oauth-operator';

/** What a person at a terminal has: helm and kubectl, on the cluster of the walk. */
export interface Stage {
  readonly kubectl: (...args: string[]) => Promise<string>;
  /** `kubectl apply --server-side -f -` */
  readonly apply: (manifest: string) => Promise<string>;
  readonly helm: (...args: string[]) => Promise<string>;
  /** Runs a script of bash with kubectl and helm on its PATH. */
  readonly bash: (script: string) => Promise<string>;
}

/** Builds the image by the repository's own Dockerfile and brings it to the node as `:e2e` and `:e2e-next`. */
export const loadImage = async (dir: string): Promise<void> => {
  await ensureBaseImages();
  const image = 'm2m-oauth-operator:e2e';
  await outputOf(
    'make',
    [
      'image',
      'BUILDER=buildah',
      `IMAGE=${image}`,
      `IMAGE_FLAGS=--layers --quiet --build-arg BUILD_IMAGE=${BUILD_IMAGE} --build-arg RUNTIME_IMAGE=${RUNTIME_IMAGE}`,
    ],
    { cwd: ROOT, env: BUILDAH_ENV },
  );
  for (const tag of ['e2e', 'e2e-next']) await importFromBuildah(dir, image, `${REPOSITORY}:${tag}`);
};

/** The tools, pointed at a cluster. */
export const stageOf = async ({ kubeconfigPath, dir }: Cluster): Promise<Stage> => {
  const tools = { kubectl: await ensureBinary('kubectl'), helm: await ensureBinary('helm') };
  const env = {
    KUBECONFIG: kubeconfigPath,
    HELM_CACHE_HOME: join(dir, 'helm/cache'),
    HELM_CONFIG_HOME: join(dir, 'helm/config'),
    HELM_DATA_HOME: join(dir, 'helm/data'),
  };
  const path = [...Object.values(tools).map((tool) => join(tool, '..')), process.env.PATH].join(':');
  return {
    kubectl: (...args) => outputOf(tools.kubectl, args, { env }),
    apply: (manifest) =>
      outputOf(tools.kubectl, ['apply', '--server-side', '--force-conflicts', '-f', '-'], {
        env,
        stdin: manifest,
      }),
    helm: (...args) => outputOf(tools.helm, args, { env, cwd: ROOT }),
    bash: (script) =>
      outputOf('bash', ['-euo', 'pipefail', '-c', script], { env: { ...env, PATH: path }, cwd: ROOT }),
  };
};
