import { execFile } from 'node:child_process';
import { access, constants } from 'node:fs/promises';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { buildBinary, goIsInstalled } from './build.ts';
import { ClusterError } from './cluster-error.ts';
import { compareVersions, formatVersion, kubernetesVersion, parseVersion, type Version } from './versions.ts';

/** How one binary is recognised on PATH and built from source. */
export interface BinarySource {
  readonly module: 'kubernetes' | 'etcd';
  readonly package: string;
  readonly versionArguments: readonly string[];
  readonly oldestOnPath: Version;
}

const kubernetes = (name: string, versionArguments = ['--version']): BinarySource => ({
  module: 'kubernetes',
  package: `k8s.io/kubernetes/cmd/${name}`,
  versionArguments,
  oldestOnPath: { major: 1, minor: 30, patch: 0 },
});

/** Every binary that a cluster may need. */
export const binarySources = {
  etcd: {
    module: 'etcd',
    package: 'go.etcd.io/etcd/server/v3',
    versionArguments: ['--version'],
    oldestOnPath: { major: 3, minor: 5, patch: 0 },
  },
  'kube-apiserver': kubernetes('kube-apiserver'),
  'kube-controller-manager': kubernetes('kube-controller-manager'),
  kubectl: kubernetes('kubectl', ['version', '--client']),
} as const satisfies Record<string, BinarySource>;

export type BinaryName = keyof typeof binarySources;

export interface BinaryOptions {
  readonly signal?: AbortSignal | undefined;
  readonly env?: NodeJS.ProcessEnv;
}

/**
 * The path of a binary: from KUBEBUILDER_ASSETS, the project's cache, PATH (where new enough), or built into the
 * cache, which takes minutes and tells of its progress on stderr.
 * @throws ClusterError that names all four ways where none works.
 */
export async function ensureBinary(name: BinaryName, options: BinaryOptions = {}): Promise<string> {
  const env = options.env ?? process.env;
  const cached = join(cacheDir(env), name);
  const found = (await inAssets(name, env)) ?? (await ifExecutable(cached)) ?? (await onPath(name, env));
  if (found) return found;
  if (!(await goIsInstalled(env))) throw notFound(name, env);
  await buildBinary({
    name,
    source: binarySources[name],
    target: cached,
    env,
    signal: options.signal,
  });
  return cached;
}

/** The cache of this Kubernetes version; the same layout as KUBEBUILDER_ASSETS. */
export function cacheDir(env: NodeJS.ProcessEnv): string {
  const base = env.XDG_CACHE_HOME || join(homedir(), '.cache');
  return join(base, 'm2m-oauth-operator', formatVersion(kubernetesVersion()));
}

function inAssets(name: BinaryName, env: NodeJS.ProcessEnv): Promise<string | undefined> {
  const assets = env.KUBEBUILDER_ASSETS;
  return assets ? ifExecutable(join(assets, name)) : Promise.resolve(undefined);
}

async function onPath(name: BinaryName, env: NodeJS.ProcessEnv): Promise<string | undefined> {
  for (const dir of (env.PATH ?? '').split(delimiter).filter(Boolean)) {
    const path = await ifExecutable(join(dir, name));
    if (path && (await isNewEnough(path, binarySources[name]))) return path;
  }
  return undefined;
}

async function isNewEnough(path: string, source: BinarySource): Promise<boolean> {
  try {
    const { stdout } = await promisify(execFile)(path, source.versionArguments, { timeout: 10_000 });
    const version = parseVersion(stdout);
    return version !== undefined && compareVersions(version, source.oldestOnPath) >= 0;
  } catch {
    return false;
  }
}

async function ifExecutable(path: string): Promise<string | undefined> {
  try {
    await access(path, constants.X_OK);
    return path;
  } catch {
    return undefined;
  }
}

function notFound(name: BinaryName, env: NodeJS.ProcessEnv): ClusterError {
  const oldest = formatVersion(binarySources[name].oldestOnPath);
  return new ClusterError(
    [
      `${name} was not found. Any one of these helps:`,
      `  1. set KUBEBUILDER_ASSETS to a folder that holds it (e.g. from setup-envtest)`,
      `  2. put it into the cache: ${join(cacheDir(env), name)}`,
      `  3. put ${name} ${oldest} or newer on PATH`,
      `  4. install Go (https://go.dev/dl), and it is built from source, once`,
    ].join('\n'),
  );
}
