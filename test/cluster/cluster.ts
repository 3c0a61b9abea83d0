import { cp, mkdir, mkdtemp, readdir, readFile, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { locateBinary } from './binaries.ts';
import { ClusterError } from './cluster-error.ts';
import { writeCredentials } from './credentials.ts';
import { compactEtcd, raiseRevision, revisionOf } from './etcd-revisions.ts';
import { readKubeconfig } from './kubeconfig.ts';
import { prepareNode, startNode } from './node/node.ts';
import { stopNode } from './node/teardown.ts';
import {
  apiserverUrl,
  binaryOf,
  buildArguments,
  type ClusterState,
  etcdUrl,
  type Part,
  parts,
  paths,
} from './parts.ts';
import { findFreePorts } from './ports.ts';
import { isProcess, killAndWait, readPid, startDetached, writePid } from './processes.ts';
import { waitForDefaultServiceAccount, waitUntilReady } from './readiness.ts';
import { watchOver } from './watchdog.ts';

/** A control plane of real processes on loopback ports. */
export interface Cluster {
  readonly dir: string;
  /** Of an administrator, with everything embedded. */
  readonly kubeconfigPath: string;
  readonly url: string;
  readonly etcdUrl: string;
  /** SIGKILL; returns when the process is gone. One that doesn't run is fine. */
  kill(part: Part): Promise<void>;
  /** Starts it again on the same port and data; returns when it is ready. One that runs is left alone. */
  start(part: Part): Promise<void>;
  /** Ends everything and removes `dir`. */
  stop(): Promise<void>;
  /**
   * Makes the API server answer 410 to every resourceVersion older than now: compacts etcd, and starts the API server
   * again, since its watch cache would go on serving them. Connections to it break; takes about 2 s.
   */
  compact(): Promise<void>;
  /** Copies etcd's data as it is now, which `stop` removes; returns the copy. Starts etcd again, so that the API server fails for about 1 s. */
  backUp(): Promise<string>;
  /**
   * Puts etcd's data back to what {@link Cluster.backUp} copied, as Kubernetes asks for: everything is stopped, and started again. With
   * `isRaised` the next revision is above all that etcd has ever had, and all before it are compacted, as after `etcdutl snapshot
   * restore --bump-revision --mark-compacted`.
   */
  restore(backup: string, options?: { readonly isRaised?: boolean }): Promise<void>;
  /** Raises etcd's revision by so many, as writes by others do. */
  advance(revisions: number): Promise<void>;
  /** The process ids of the parts that run. */
  pids(): Promise<Partial<Record<Part, number>>>;
}

export interface ClusterOptions {
  /** A new temporary folder unless given. One that holds a cluster already continues it. */
  readonly dir?: string;
  /** Added to the API server's command line, where they win over its own; kept for later starts. */
  readonly apiserverFlags?: readonly string[];
  readonly signal?: AbortSignal;
  /** Whether the processes go on after this one ends. */
  readonly outliveProcess?: boolean;
  /** Whether it has a node that runs Pods: root, Linux, one a machine. */
  readonly node?: boolean;
}

/**
 * Brings up a control plane; returns when the API server is ready and its default service account exists.
 * What fails to start is cleaned up.
 * @throws ClusterError with the end of the log of the part that failed, or for a binary that the machine lacks.
 */
export async function startCluster(options: ClusterOptions = {}): Promise<Cluster> {
  for (const part of parts) await locateBinary(binaryOf[part]);
  const dir = await prepareDir(options.dir);
  const known = await readState(dir);
  if (options.node && !known) await prepareNode();
  const callOff = options.outliveProcess ? () => {} : watchOver(dir, options.node);
  try {
    const state = known ?? (await createState(dir, options));
    const cluster = buildCluster(dir, state, { ...options, callOff });
    for (const part of parts) await cluster.start(part);
    await waitForDefaultServiceAccount(readKubeconfig(cluster.kubeconfigPath), options.signal);
    if (state.node)
      await startNode({
        dir,
        ports: state.node,
        api: readKubeconfig(cluster.kubeconfigPath),
        signal: options.signal,
      });
    return cluster;
  } catch (error) {
    await endProcesses(dir, options.node ?? false);
    if (!known) await rm(dir, { recursive: true, force: true });
    callOff();
    throw error;
  }
}

/**
 * Ends the cluster in `dir`, whoever started it, and removes the folder.
 * @returns whether there was one; a folder that holds no cluster isn't touched.
 */
export async function removeCluster(dir: string): Promise<boolean> {
  const real = await realpath(dir).catch(() => undefined);
  const state = real && (await readState(real));
  if (!real || !state) return false;
  await endProcesses(real, state.node !== undefined);
  await rm(real, { recursive: true, force: true });
  return true;
}

/** The kubeconfig of the cluster in `dir`, or undefined where there is none. */
export async function findKubeconfig(dir: string): Promise<string | undefined> {
  const real = await realpath(dir).catch(() => undefined);
  return real && (await readState(real)) ? paths(real).kubeconfig : undefined;
}

/** Above the revisions that were in use, as the value of `--bump-revision` is. */
const RAISED_BY = 1_000n;

interface Handling {
  readonly signal?: AbortSignal | undefined;
  readonly callOff: () => void;
}

function buildCluster(dir: string, state: ClusterState, { signal, callOff }: Handling): Cluster {
  const file = paths(dir);
  const start = async (part: Part) => {
    if (!(await runningPid(dir, part))) {
      const path = await locateBinary(binaryOf[part]);
      const pid = await startDetached({ path, args: buildArguments[part](dir, state) }, file.log(part));
      await writePid(file.pid(part), pid);
    }
    await waitUntilReady({
      part,
      dir,
      state,
      signal,
      isRunning: async () => !!(await runningPid(dir, part)),
    });
  };
  return {
    dir,
    kubeconfigPath: file.kubeconfig,
    url: apiserverUrl(state),
    etcdUrl: etcdUrl(state),
    kill: (part) => endProcess(dir, part),
    start,
    stop: async () => {
      await removeCluster(dir);
      callOff();
    },
    compact: async () => {
      await endProcess(dir, 'apiserver');
      await compactEtcd(etcdUrl(state));
      await start('apiserver');
    },
    backUp: async () => {
      const backup = join(dir, `etcd-backup-${Date.now()}`);
      await endProcess(dir, 'etcd');
      await cp(file.etcdData, backup, { recursive: true });
      await start('etcd');
      return backup;
    },
    restore: async (backup, { isRaised = false } = {}) => {
      const url = etcdUrl(state);
      const revision = await revisionOf(url);
      for (const part of parts.toReversed()) await endProcess(dir, part);
      await rm(file.etcdData, { recursive: true });
      await cp(backup, file.etcdData, { recursive: true });
      await start('etcd');
      if (isRaised) {
        await raiseRevision(url, revision + RAISED_BY);
        await compactEtcd(url);
      }
      for (const part of parts) await start(part);
    },
    advance: async (revisions) => {
      const url = etcdUrl(state);
      await raiseRevision(url, (await revisionOf(url)) + BigInt(revisions));
    },
    pids: async () => {
      const found = await Promise.all(
        parts.map(async (part) => [part, await runningPid(dir, part)] as const),
      );
      return Object.fromEntries(found.filter(([, pid]) => pid !== undefined));
    },
  };
}

async function endProcesses(dir: string, hasNode: boolean): Promise<void> {
  if (hasNode) await stopNode(dir);
  for (const part of parts.toReversed()) await endProcess(dir, part);
}

async function endProcess(dir: string, part: Part): Promise<void> {
  const pid = await runningPid(dir, part);
  if (pid) await killAndWait(pid);
  await rm(paths(dir).pid(part), { force: true });
}

async function runningPid(dir: string, part: Part): Promise<number | undefined> {
  const pid = await readPid(paths(dir).pid(part));
  return pid && (await isProcess(pid, `${dir}/`)) ? pid : undefined;
}

/** An absolute path without symbolic links, since the command lines that hold it are compared with it. */
async function prepareDir(dir: string | undefined): Promise<string> {
  if (!dir) return realpath(await mkdtemp(join(tmpdir(), 'm2m-oauth-cluster-')));
  await mkdir(dirname(resolve(dir)), { recursive: true });
  await mkdir(dir, { recursive: true, mode: 0o700 });
  const real = await realpath(dir);
  const entries = await readdir(real);
  if (entries.length > 0 && !(await readState(real))) {
    throw new ClusterError(`${real} has files that are not of a cluster; choose an empty or a new folder`);
  }
  return real;
}

async function readState(dir: string): Promise<ClusterState | undefined> {
  const text = await readFile(paths(dir).state, 'utf8').catch(() => undefined);
  return text === undefined ? undefined : (JSON.parse(text) as ClusterState);
}

async function createState(
  dir: string,
  { apiserverFlags = [], node = false }: ClusterOptions,
): Promise<ClusterState> {
  const ports = await findFreePorts(6);
  const [etcd = 0, etcdPeer = 0, apiserver = 0, controllerManager = 0, scheduler = 0, proxy = 0] = ports;
  const state = {
    ports: { etcd, etcdPeer, apiserver, controllerManager },
    apiserverFlags,
    ...(node && { node: { scheduler, proxy } }),
  };
  await writeCredentials(dir, apiserverUrl(state));
  await writeFile(paths(dir).state, JSON.stringify(state, undefined, 2), { flag: 'wx' });
  return state;
}
