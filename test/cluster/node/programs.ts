import type { BinaryName } from '../binary-sources.ts';
import { NODE, type NodePart, type NodePorts, nodePaths } from './layout.ts';

/** The program of a part: one that is built here, or one of the system's. */
export const programOf = {
  dns: 'coredns',
  scheduler: 'kube-scheduler',
  containerd: undefined,
  kubelet: 'kubelet',
  proxy: 'kube-proxy',
} as const satisfies Record<NodePart, BinaryName | undefined>;

/** The command line of a part; every one names `dir`, by which a process is recognised later. */
export const nodeArguments = (part: NodePart, dir: string, ports: NodePorts): string[] => {
  const file = nodePaths(dir);
  switch (part) {
    case 'dns':
      return ['-conf', file.corefile];
    case 'scheduler':
      return [
        `--kubeconfig=${file.kubeconfig('scheduler')}`,
        '--leader-elect=false',
        '--bind-address=127.0.0.1',
        `--secure-port=${ports.scheduler}`,
        `--cert-dir=${file.certificates}`,
        '--profiling=false',
      ];
    case 'containerd':
      return ['--config', file.containerdConfig];
    case 'kubelet':
      return [
        `--config=${file.kubeletConfig}`,
        `--kubeconfig=${file.kubeconfig('kubelet')}`,
        `--root-dir=${file.kubeletRoot}`,
        `--cert-dir=${file.certificates}`,
        `--hostname-override=${NODE.name}`,
        `--node-ip=${NODE.address}`,
      ];
    case 'proxy':
      return [
        `--kubeconfig=${file.kubeconfig('proxy')}`,
        '--proxy-mode=iptables',
        `--cluster-cidr=${NODE.podSubnet}`,
        `--hostname-override=${NODE.name}`,
        '--conntrack-max-per-core=0',
        '--iptables-localhost-nodeports=false',
        '--healthz-bind-address=',
        `--metrics-bind-address=127.0.0.1:${ports.proxy}`,
      ];
  }
};
