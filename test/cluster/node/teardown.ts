import { readdir, readFile, rm, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import { locateBinary } from '../binaries.ts';
import { isProcess, killAndWait, readPid } from '../processes.ts';
import { command } from './command.ts';
import { NODE, nodeParts, nodePaths } from './layout.ts';

/**
 * Ends a node and all its containers, and takes away what it has made outside of `dir`: mounts, devices, iptables'
 * rules. The folder itself stays. Nothing to take away is fine.
 */
export const stopNode = async (dir: string): Promise<void> => {
  const file = nodePaths(dir);
  for (const part of nodeParts.toReversed()) {
    const pid = await readPid(file.pid(part));
    if (pid && (await isProcess(pid, `${dir}/`))) await killAndWait(pid);
    await rm(file.pid(part), { force: true });
  }
  await killContainers(dir);
  await forgetContainers(dir);
  await unmountBelow(dir);
  await command(await locateBinary('kube-proxy'), ['--cleanup']).catch(() => undefined);
  for (const chain of ['INPUT', 'OUTPUT']) {
    await command('iptables', ['--delete', chain, '--jump', 'KUBE-FIREWALL']).catch(() => undefined);
  }
  await command('iptables', ['--delete-chain', 'KUBE-FIREWALL']).catch(() => undefined);
  for (const device of [NODE.podDevice, NODE.device]) {
    await command('ip', ['link', 'delete', device]).catch(() => undefined);
  }
};

/** A shim and what it has started outlive containerd; the shims' command lines name its socket. */
const killContainers = async (dir: string): Promise<void> => {
  const parents = new Map<number, number[]>();
  const shims: number[] = [];
  for (const name of await readdir('/proc')) {
    const pid = Number(name);
    if (!(pid > 0)) continue;
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
    // proc(5): state and parent follow the name, which stands in parentheses.
    const parent = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
    parents.set(parent, [...(parents.get(parent) ?? []), pid]);
    const line = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
    if (line.includes('containerd-shim') && line.includes(`${dir}/`)) shims.push(pid);
  }
  const family = (pid: number): number[] => [...(parents.get(pid) ?? []).flatMap(family), pid];
  // The shim first: it would report each death to a containerd that is gone.
  for (const pid of shims.flatMap((shim) => family(shim).toReversed())) await killAndWait(pid);
};

/** What runc and the CNI plugins keep of a container outside of `dir`, had they been asked to end it: cgroups, results. */
const forgetContainers = async (dir: string): Promise<void> => {
  const ids = await readdir(
    join(nodePaths(dir).containerdState, 'io.containerd.runtime.v2.task/k8s.io'),
  ).catch(() => []);
  const controllers = await readdir('/sys/fs/cgroup');
  for (const id of ids) {
    for (const controller of controllers) {
      await rmdir(join('/sys/fs/cgroup', controller, 'k8s.io', id)).catch(() => undefined);
    }
    for (const name of [`${NODE.network}-${id}-eth0`, `cni-loopback-${id}-lo`]) {
      await rm(join('/var/lib/cni/results', name), { force: true });
    }
  }
};

const unmountBelow = async (dir: string): Promise<void> => {
  const mounts = (await readFile('/proc/self/mounts', 'utf8'))
    .split('\n')
    .map((line) => line.split(' ')[1] ?? '')
    .filter((path) => path.startsWith(`${dir}/`));
  for (const path of mounts.toReversed()) await command('umount', ['--lazy', path]).catch(() => undefined);
};
