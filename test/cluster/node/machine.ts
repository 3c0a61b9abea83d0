import { execFile } from 'node:child_process';
import { access, constants } from 'node:fs/promises';
import { createServer } from 'node:net';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { ClusterError } from '../cluster-error.ts';
import { NODE } from './layout.ts';

const run = promisify(execFile);

/** Where Debian puts what a root's PATH may lack. */
export const SEARCH_PATH = `${process.env.PATH}${delimiter}/usr/local/sbin${delimiter}/usr/sbin${delimiter}/sbin`;
/** Where Debian's package puts the CNI plugins. */
export const CNI_PLUGINS = '/usr/lib/cni';

const PROGRAMS: Readonly<Record<string, string>> = {
  containerd: 'containerd',
  ctr: 'containerd',
  runc: 'runc',
  iptables: 'iptables',
  conntrack: 'conntrack',
  buildah: 'buildah',
  busybox: 'busybox-static',
  ip: 'iproute2',
  mount: 'mount',
};

const isExecutable = (path: string): Promise<boolean> =>
  access(path, constants.X_OK).then(
    () => true,
    () => false,
  );

const isOnPath = async (program: string): Promise<boolean> => {
  for (const dir of SEARCH_PATH.split(delimiter)) if (await isExecutable(join(dir, program))) return true;
  return false;
};

/** A machine that is a node already would lose its own rules and devices when ours is taken away. */
const isTaken = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(true));
    server.listen({ port, exclusive: true }, () => server.close(() => resolve(false)));
  });

/** Debian packages that a node needs and this machine lacks. */
const missingPackages = async (): Promise<string[]> => {
  const missing = new Set<string>();
  for (const [program, debian] of Object.entries(PROGRAMS))
    if (!(await isOnPath(program))) missing.add(debian);
  if (!(await isExecutable(join(CNI_PLUGINS, 'bridge')))) missing.add('containernetworking-plugins');
  return [...missing];
};

/** Why a node can't run here, in words for a person; undefined where it can (after {@link prepareMachine}). */
export const whyNoNode = async (): Promise<string | undefined> => {
  if (process.platform !== 'linux') return `a node needs Linux, and this is ${process.platform}`;
  if (process.getuid?.() !== 0) return 'a node needs root, for containers, bridges and iptables';
  if (await isTaken(NODE.kubeletPort))
    return `something, another kubelet perhaps, has port ${NODE.kubeletPort}`;
  const missing = await missingPackages();
  if (missing.length === 0 || (await isOnPath('apt-get'))) return undefined;
  return `a node needs ${missing.join(', ')}, and there is no apt-get to install them with`;
};

/**
 * Installs what is missing (apt-get, tens of seconds, once).
 * @throws ClusterError where a node can't run here, or apt-get fails
 */
export const prepareMachine = async (): Promise<void> => {
  const reason = await whyNoNode();
  if (reason) throw new ClusterError(reason);
  const missing = await missingPackages();
  if (missing.length === 0) return;
  process.stderr.write(`installing ${missing.join(', ')}\n`);
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  const options = { env, maxBuffer: 64 * 1024 * 1024 };
  try {
    await run('apt-get', ['update', '-q'], options);
    await run('apt-get', ['install', '-qy', '--no-install-recommends', ...missing], options);
  } catch (cause) {
    throw new ClusterError(`apt-get could not install ${missing.join(', ')}`, { cause });
  }
};
