import { join } from 'node:path';

/** The processes of a node, in the order in which they start. */
export const nodeParts = ['dns', 'scheduler', 'containerd', 'kubelet', 'proxy'] as const;
export type NodePart = (typeof nodeParts)[number];

/** Loopback ports that two of the programs ask for. */
export type NodePorts = Readonly<Record<'scheduler' | 'proxy', number>>;

/** One node a machine: its devices have fixed names and addresses. */
export const NODE = {
  /** `localhost`, so that the API server reaches kubelet by it. */
  name: 'localhost',
  /** Holds the address by which Pods reach the API server and DNS; the kernel may lack dummy devices. */
  device: 'm2mnode0',
  address: '10.245.0.1',
  /** Name of the Pods' network, and the beginning of names of files that libcni keeps. */
  network: 'm2m',
  podDevice: 'm2mpods0',
  podSubnet: '10.244.7.0/24',
  domain: 'cluster.local',
  kubeletPort: 10_250,
} as const;

export const PAUSE_IMAGE = 'localhost/m2m-pause:1';

/** Where a node's things are in the cluster's folder. */
export const nodePaths = (dir: string) => {
  const node = join(dir, 'node');
  return {
    node,
    kubeconfig: (user: 'kubelet' | 'scheduler' | 'proxy') => join(node, `${user}.kubeconfig`),
    kubeletClient: { certificate: join(node, 'kubelet-client.crt'), key: join(node, 'kubelet-client.key') },
    kubeletConfig: join(node, 'kubelet.yaml'),
    kubeletRoot: join(node, 'kubelet'),
    certificates: join(node, 'pki'),
    containerdConfig: join(node, 'containerd.toml'),
    containerdRoot: join(node, 'containerd'),
    containerdState: join(node, 'run'),
    socket: join(node, 'containerd.sock'),
    cni: join(node, 'cni'),
    corefile: join(node, 'Corefile'),
    log: (part: NodePart) => join(dir, `${part}.log`),
    pid: (part: NodePart) => join(dir, `${part}.pid`),
  };
};
