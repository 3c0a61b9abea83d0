import { execFile } from 'node:child_process';
import { access, constants } from 'node:fs/promises';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { type BinaryName, type BinarySource, binarySources, type ExternalBinary } from './binary-sources.ts';
import { buildBinary, goIsInstalled } from './build.ts';
import type { ClusterError } from './cluster-error.ts';
import { type ControlPlaneWay, controlPlaneWay } from './control-plane-way.ts';
import { missingBinaryError } from './missing-binary.ts';
import { obtainRelease, type ReleaseResult, releasePath } from './release-binaries.ts';
import { officialSource, type ReleaseSource } from './release-downloads.ts';
import { isPublished } from './releases.ts';
import { compareVersions, parseVersion } from './versions.ts';

export interface BinaryOptions {
  readonly signal?: AbortSignal | undefined;
  readonly env?: NodeJS.ProcessEnv;
  /** Where release binaries come from; the official sites unless given. */
  readonly releases?: ReleaseSource;
}

interface Search {
  readonly env: NodeJS.ProcessEnv;
  readonly releases: ReleaseSource;
  /** What CONTROL_PLANE chooses for this binary. */
  readonly way: ControlPlaneWay | undefined;
}

/**
 * The path of a binary: from KUBEBUILDER_ASSETS, the project's cache or PATH (if new enough); or else an official
 * release that is downloaded, or a build with Go that takes minutes. Progress is reported on stderr.
 * @throws ClusterError that names all ways if none works.
 */
export async function ensureBinary(name: BinaryName, options: BinaryOptions = {}): Promise<string> {
  const search = buildSearch(name, options);
  const found = await findBinary(name, search);
  if (found) return found;
  const { env, way } = search;
  const release = await tryRelease(name, search, options.signal);
  if (release && 'path' in release) return release.path;
  if (way === 'download' || !(await goIsInstalled(env))) throw notFound(name, search, release?.reason);
  if (release)
    sayOnce(`${release.reason}: building with Go instead${releasedIn(name, search) ? '' : SHORTER}`);
  const target = join(cacheDir(name, env), name);
  await buildBinary({ name, source: sourceOf(name), target, env, signal: options.signal });
  return target;
}

/**
 * Whether {@link ensureBinary} has a way to try: tests that need more than a control plane are skipped if it has none.
 * A download counts as a way before its site is asked.
 */
export async function isWithinReach(name: BinaryName, env = process.env): Promise<boolean> {
  const search = buildSearch(name, { env });
  if (await findBinary(name, search)) return true;
  if (search.way !== 'download' && (await goIsInstalled(env))) return true;
  return search.way !== 'source' && releasedIn(name, search) !== undefined;
}

function buildSearch(
  name: BinaryName,
  { env = process.env, releases = officialSource }: BinaryOptions,
): Search {
  const way = controlPlaneWay(env);
  return { env, releases, way: isPublished(name) ? way : undefined };
}

/** Undefined for a binary that is built in any case. */
async function tryRelease(
  name: BinaryName,
  { env, way, releases }: Search,
  signal: AbortSignal | undefined,
): Promise<ReleaseResult | undefined> {
  if (way === 'source' || !isPublished(name)) return undefined;
  return obtainRelease(name, { cache: projectCache(env), env, source: releases, signal });
}

const SHORTER = '; CLUSTER=current make run uses a cluster that you have, and needs no build';

const said = new Set<string>();

/** Several binaries fail to load for one reason, which is worth one line. */
function sayOnce(line: string): void {
  if (!said.has(line)) console.error(line);
  said.add(line);
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

/** Where CONTROL_PLANE chooses, a binary of another origin does not do, unless KUBEBUILDER_ASSETS names it. */
async function findBinary(name: BinaryName, search: Search): Promise<string | undefined> {
  const { env, way } = search;
  const { foreign } = sourceOf(name);
  const built = join(cacheDir(name, env), name);
  if (!foreign) return ifExecutable(built);
  const inCache = [way !== 'download' && built, way !== 'source' && releasedIn(name, search)];
  return (
    (await inAssets(name, env)) ??
    (await firstExecutable(inCache)) ??
    (way ? undefined : await onPath(name, foreign, env))
  );
}

function notFound(name: BinaryName, search: Search, reason: string | undefined): ClusterError {
  const { env, way, releases } = search;
  const built = join(cacheDir(name, env), name);
  const cached = (way === 'download' && releasedIn(name, search)) || built;
  return missingBinaryError({ name, cached, foreign: sourceOf(name).foreign, way, releases, reason });
}

/** Where a downloaded binary is kept; undefined if there is no release of it. */
function releasedIn(name: BinaryName, { env, releases }: Search): string | undefined {
  return isPublished(name) ? releasePath(name, projectCache(env), releases) : undefined;
}

function inAssets(name: BinaryName, env: NodeJS.ProcessEnv): Promise<string | undefined> {
  const assets = env.KUBEBUILDER_ASSETS;
  return assets ? ifExecutable(join(assets, name)) : Promise.resolve(undefined);
}

async function onPath(
  name: BinaryName,
  foreign: ExternalBinary,
  env: NodeJS.ProcessEnv,
): Promise<string | undefined> {
  for (const dir of (env.PATH ?? '').split(delimiter).filter(Boolean)) {
    const path = await ifExecutable(join(dir, name));
    if (path && (await isNewEnough(path, foreign))) return path;
  }
  return undefined;
}

async function isNewEnough(path: string, { versionArguments, oldest }: ExternalBinary): Promise<boolean> {
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

async function firstExecutable(paths: readonly (string | false | undefined)[]): Promise<string | undefined> {
  for (const path of paths) {
    const found = path && (await ifExecutable(path));
    if (found) return found;
  }
  return undefined;
}
