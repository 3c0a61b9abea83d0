import { execFile } from 'node:child_process';
import { access, constants } from 'node:fs/promises';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { type BinaryName, type BinarySource, binarySources, type ForeignBinary } from './binary-sources.ts';
import { buildBinary, goIsInstalled } from './build.ts';
import { ClusterError } from './cluster-error.ts';
import { compareVersions, formatVersion, parseVersion } from './versions.ts';

export interface BinaryOptions {
  readonly signal?: AbortSignal | undefined;
  readonly env?: NodeJS.ProcessEnv;
}

/**
 * The path of a binary: from KUBEBUILDER_ASSETS, the project's cache, PATH (where new enough), or built into the
 * cache, which takes minutes and tells of its progress on stderr.
 * @throws ClusterError that names all ways where none works.
 */
export async function ensureBinary(name: BinaryName, options: BinaryOptions = {}): Promise<string> {
  const env = options.env ?? process.env;
  const found = await findBinary(name, env);
  if (found) return found;
  if (!(await goIsInstalled(env))) throw notFound(name, env);
  const target = join(cacheDir(name, env), name);
  await buildBinary({ name, source: sourceOf(name), target, env, signal: options.signal });
  return target;
}

/** Whether {@link ensureBinary} has something to go by: tests that need more than a control plane are skipped where it hasn't. */
export async function isWithinReach(name: BinaryName, env = process.env): Promise<boolean> {
  return (await findBinary(name, env)) !== undefined || goIsInstalled(env);
}

/** The folder of the project's cache that holds a binary. */
export function cacheDir(name: BinaryName, env: NodeJS.ProcessEnv): string {
  return join(projectCache(env), sourceOf(name).cacheFolder());
}

/** The folder of what the project builds or downloads once a machine. */
export function projectCache(env: NodeJS.ProcessEnv): string {
  return join(env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'm2m-oauth-operator');
}

function sourceOf(name: BinaryName): BinarySource {
  return binarySources[name];
}

async function findBinary(name: BinaryName, env: NodeJS.ProcessEnv): Promise<string | undefined> {
  const { foreign } = sourceOf(name);
  const cached = join(cacheDir(name, env), name);
  if (!foreign) return ifExecutable(cached);
  return (await inAssets(name, env)) ?? (await ifExecutable(cached)) ?? (await onPath(name, foreign, env));
}

function inAssets(name: BinaryName, env: NodeJS.ProcessEnv): Promise<string | undefined> {
  const assets = env.KUBEBUILDER_ASSETS;
  return assets ? ifExecutable(join(assets, name)) : Promise.resolve(undefined);
}

async function onPath(
  name: BinaryName,
  foreign: ForeignBinary,
  env: NodeJS.ProcessEnv,
): Promise<string | undefined> {
  for (const dir of (env.PATH ?? '').split(delimiter).filter(Boolean)) {
    const path = await ifExecutable(join(dir, name));
    if (path && (await isNewEnough(path, foreign))) return path;
  }
  return undefined;
}

async function isNewEnough(path: string, { versionArguments, oldest }: ForeignBinary): Promise<boolean> {
  try {
    const { stdout, stderr } = await promisify(execFile)(path, versionArguments, { timeout: 10_000 });
    const version = parseVersion(stdout + stderr);
    return version !== undefined && compareVersions(version, oldest) >= 0;
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
  const { foreign } = sourceOf(name);
  const ways = [
    ...(foreign ? ['set KUBEBUILDER_ASSETS to a folder that holds it (e.g. from setup-envtest)'] : []),
    `put it into the cache: ${join(cacheDir(name, env), name)}`,
    ...(foreign ? [`put ${name} ${formatVersion(foreign.oldest)} or newer on PATH`] : []),
    'install Go (https://go.dev/dl), and it is built from source, once',
  ];
  const list = ways.map((way, at) => `  ${at + 1}. ${way}`);
  return new ClusterError([`${name} was not found. Any one of these helps:`, ...list].join('\n'));
}
