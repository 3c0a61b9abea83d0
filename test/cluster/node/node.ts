import { access, mkdir, readFile, writeFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { locateBinary } from '../binaries.ts';
import { ClusterError } from '../cluster-error.ts';
import type { Connection } from '../kubeconfig.ts';
import { paths } from '../parts.ts';
import { isProcess, readPid, startDetached, writePid } from '../processes.ts';
import { waitForNode } from '../readiness.ts';
import { command } from './command.ts';
import { importPause } from './images.ts';
import { NODE, type NodePart, type NodePorts, nodeParts, nodePaths } from './layout.ts';
import { prepareMachine, SEARCH_PATH } from './machine.ts';
import { nodeArguments, programOf } from './programs.ts';
import { nodeSettings } from './settings.ts';

interface Start {
  readonly dir: string;
  readonly ports: NodePorts;
  readonly api: Connection;
  readonly signal: AbortSignal | undefined;
}

/**
 * Installs what a node needs.
 * @throws ClusterError where one can't run here, runs already, or lacks a program
 */
export const prepareNode = async (): Promise<void> => {
  await prepareMachine();
  for (const name of ['pause', ...Object.values(programOf)] as const) {
    if (name) await locateBinary(name);
  }
};

/** Gives the machine the address by which Pods reach the API server and DNS. */
const addAddress = async (): Promise<void> => {
  const link = await command('ip', ['-br', 'address', 'show', 'dev', NODE.device]).catch(() => '');
  if (link === '') await command('ip', ['link', 'add', NODE.device, 'type', 'bridge']);
  await command('ip', ['address', 'replace', `${NODE.address}/32`, 'dev', NODE.device]);
  await command('ip', ['link', 'set', NODE.device, 'up']);
  await writeFile('/proc/sys/net/ipv4/ip_forward', '1');
};

/** Starts scheduler, containerd, kubelet, kube-proxy and DNS in the cluster in `dir`; returns when they run. */
export const startNode = async (start: Start): Promise<void> => {
  const { dir } = start;
  const file = nodePaths(dir);
  await addAddress();
  for (const folder of [file.node, file.kubeletRoot, file.certificates, file.cni]) {
    await mkdir(folder, { recursive: true, mode: 0o700 });
  }
  for (const [path, text] of Object.entries(nodeSettings(dir, paths(dir).ca))) await writeFile(path, text);
  for (const part of nodeParts) {
    await startPart(part, start);
    if (part !== 'containerd') continue;
    await untilListening(file.socket, start);
    await importPause(dir, await locateBinary('pause'));
  }
  await waitForNode(start.api, start.signal);
  for (const part of nodeParts) await assertRunning(part, dir);
};

const startPart = async (part: NodePart, { dir, ports }: Start): Promise<void> => {
  const file = nodePaths(dir);
  const known = await readPid(file.pid(part));
  if (known && (await isProcess(known, `${dir}/`))) return;
  const name = programOf[part];
  const path = name ? await locateBinary(name) : part;
  const args = nodeArguments(part, dir, ports);
  const pid = await startDetached({ path, args, env: { PATH: SEARCH_PATH } }, file.log(part));
  await writePid(file.pid(part), pid);
};

/** A program that refuses its command line ends within moments; by the time that the node is ready it has. */
const assertRunning = async (part: NodePart, dir: string): Promise<void> => {
  const { pid, log } = nodePaths(dir);
  const known = await readPid(pid(part));
  if (known && (await isProcess(known, `${dir}/`))) return;
  const said = (await readFile(log(part), 'utf8')).trimEnd().split('\n').slice(-10).join('\n');
  throw new ClusterError(`${part} ended during its start; the end of its log:\n${said}`);
};

const untilListening = async (socket: string, { signal }: Start): Promise<void> => {
  for (let attempt = 0; attempt < 600; attempt++) {
    if (
      await access(socket)
        .then(
          () => command('ctr', ['--address', socket, 'version']),
          () => '',
        )
        .catch(() => '')
    ) {
      return;
    }
    await delay(50, undefined, signal && { signal });
  }
  throw new ClusterError(`containerd did not listen on ${socket}`);
};
