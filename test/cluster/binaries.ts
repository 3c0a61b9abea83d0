import { execFile } from 'node:child_process';
import { access, constants } from 'node:fs/promises';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { type BinaryName, type BinarySource, binarySources, type ExternalBinary } from './binary-sources.ts';
import { buildBinaries, goIsInstalled } from './build.ts';
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
 * Obtains the binaries that the machine lacks: official releases are downloaded, the rest is built with Go in one go,
 * which takes minutes. Progress is reported on stderr. Tests don't call it; they only look for binaries.
 * @throws ClusterError that names all ways to the first binary that can't be had.
 */
export async function ensureBinaries(
  names: readonly BinaryName[],
  options: BinaryOptions = {},
): Promise<void> {
  const env = options.env ?? process.env;
  const toBuild: BinaryName[] = [];
  for (const name of names) if (!(await isObtained(name, options))) toBuild.push(name);
  if (toBuild.length === 0) return;
  await buildBinaries({
    names: toBuild,
    target: (name) => builtPath(name, env),
    cache: projectCache(env),
    env,
    signal: options.signal,
  });
}

/** Whether a binary is there or was downloaded now; false if it is to be built. @throws ClusterError if it can't be */
async function isObtained(name: BinaryName, options: BinaryOptions): Promise<boolean> {
  const search = buildSearch(name, options);
  if (await findBinary(name, search)) return true;
  const release = await tryRelease(name, search, options.signal);
  if (release && 'path' in release) return true;
  if (search.way === 'download' || !(await goIsInstalled(search.env)))
    throw notFound(name, search, { onlySought: false, reason: release?.reason });
  if (release)
    sayOnce(`${release.reason}: building with Go instead${releasedIn(name, search) ? '' : SHORTER}`);
  return false;
}

/** The path of one binary, after {@link ensureBinaries}. */
export async function ensureBinary(name: BinaryName, options: BinaryOptions = {}): Promise<string> {
  await ensureBinaries([name], options);
  return locateBinary(name, options);
}

/**
 * The path of a binary: from KUBEBUILDER_ASSETS, the project's cache or PATH (if new enough).
 * @throws ClusterError that names all ways if it is in none of them.
 */
export async function locateBinary(name: BinaryName, options: BinaryOptions = {}): Promise<string> {
  const search = buildSearch(name, options);
  const found = await findBinary(name, search);
  if (!found) throw notFound(name, search, { onlySought: true, reason: undefined });
  return found;
}

/** Whether {@link locateBinary} finds it. */
export async function isFound(name: BinaryName, env = process.env): Promise<boolean> {
  return (await findBinary(name, buildSearch(name, { env }))) !== undefined;
}

/**
 * Whether {@link ensureBinaries} has a way to try: what none can be had of is left out, and tests of it are skipped.
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

/** The folder of the project's cache that holds a binary built here. */
export function cacheDir(name: BinaryName, env: NodeJS.ProcessEnv): string {
  return join(projectCache(env), sourceOf(name).cacheFolder());
}

/** The folder of what the project builds or downloads once a machine. */
export function projectCache(env: NodeJS.ProcessEnv): string {
  return join(env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'm2m-oauth-operator');
}

function builtPath(name: BinaryName, env: NodeJS.ProcessEnv): string {
  return join(cacheDir(name, env), name);
}

function sourceOf(name: BinaryName): BinarySource {
  return binarySources[name];
}

/** Where CONTROL_PLANE chooses, a binary of another origin does not do, unless KUBEBUILDER_ASSETS names it. */
async function findBinary(name: BinaryName, search: Search): Promise<string | undefined> {
  const { env, way } = search;
  const { external } = sourceOf(name);
  const built = builtPath(name, env);
  if (!external) return ifExecutable(built);
  const inCache = [way !== 'download' && built, way !== 'source' && releasedIn(name, search)];
  return (
    (await inAssets(name, env)) ??
    (await firstExecutable(inCache)) ??
    (way ? undefined : await onPath(name, external, env))
  );
}

function notFound(
  name: BinaryName,
  search: Search,
  attempt: { readonly onlySought: boolean; readonly reason: string | undefined },
): ClusterError {
  const { env, way, releases } = search;
  const built = builtPath(name, env);
  const cached = (way === 'download' && releasedIn(name, search)) || built;
  return missingBinaryError({ name, cached, external: sourceOf(name).external, way, releases, ...attempt });
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
  external: ExternalBinary,
  env: NodeJS.ProcessEnv,
): Promise<string | undefined> {
  for (const dir of (env.PATH ?? '').split(delimiter).filter(Boolean)) {
    const path = await ifExecutable(join(dir, name));
    if (path && (await isNewEnough(path, external))) return path;
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
