import { join } from 'node:path';
import type { BinaryName } from './binary-sources.ts';
import { NODE, type NodePorts, nodePaths } from './node/layout.ts';

/** The processes of a control plane, in the order in which they start. */
export const parts = ['etcd', 'apiserver', 'controllerManager'] as const;
export type Part = (typeof parts)[number];

/** What stays the same through every start of a cluster's processes; kept in `cluster.json`. */
export interface ClusterState {
  readonly ports: Readonly<Record<Part | 'etcdPeer', number>>;
  readonly apiserverFlags: readonly string[];
  /** Present where the cluster has a node. */
  readonly node?: NodePorts;
}

/** Where things are in a cluster's folder. */
export function paths(dir: string) {
  return {
    state: join(dir, 'cluster.json'),
    kubeconfig: join(dir, 'kubeconfig'),
    controllerManagerKubeconfig: join(dir, 'controller-manager.kubeconfig'),
    etcdData: join(dir, 'etcd'),
    ca: join(dir, 'ca.crt'),
    servingCertificate: join(dir, 'serving.crt'),
    servingKey: join(dir, 'serving.key'),
    serviceAccountKey: join(dir, 'service-account.key'),
    log: (part: Part) => join(dir, `${binaryOf[part]}.log`),
    pid: (part: Part) => join(dir, `${binaryOf[part]}.pid`),
  };
}

/** The program that a part runs. */
export const binaryOf = {
  etcd: 'etcd',
  apiserver: 'kube-apiserver',
  controllerManager: 'kube-controller-manager',
} as const satisfies Record<Part, BinaryName>;

/** The command line of a part; every one names `dir`, by which a process is recognised later. */
export const buildArguments: Readonly<Record<Part, (dir: string, state: ClusterState) => string[]>> = {
  etcd: buildEtcdArguments,
  apiserver: buildApiserverArguments,
  controllerManager: buildControllerManagerArguments,
};

/** The URL that answers 200 once a part is ready. */
export const readyUrl: Readonly<Record<Part, (state: ClusterState) => string>> = {
  etcd: (state) => `${etcdUrl(state)}/health`,
  apiserver: (state) => `${apiserverUrl(state)}/readyz`,
  controllerManager: ({ ports }) => `https://127.0.0.1:${ports.controllerManager}/healthz`,
};

export function etcdUrl({ ports }: ClusterState): string {
  return `http://127.0.0.1:${ports.etcd}`;
}

export function apiserverUrl({ ports }: ClusterState): string {
  return `https://127.0.0.1:${ports.apiserver}`;
}

/** Without fsync: data outlives a killed process, which tests do, but not a power cut, which they don't. */
function buildEtcdArguments(dir: string, state: ClusterState): string[] {
  const client = etcdUrl(state);
  const peer = `http://127.0.0.1:${state.ports.etcdPeer}`;
  return [
    '--name=default',
    `--data-dir=${paths(dir).etcdData}`,
    `--listen-client-urls=${client}`,
    `--advertise-client-urls=${client}`,
    `--listen-peer-urls=${peer}`,
    `--initial-advertise-peer-urls=${peer}`,
    `--initial-cluster=default=${peer}`,
    '--unsafe-no-fsync',
    '--log-level=warn',
  ];
}

const LOOPBACK_FLAGS = [
  '--bind-address=127.0.0.1',
  '--advertise-address=127.0.0.1',
  // A loopback address is no valid endpoint of the `kubernetes` Service; nothing uses that Service without a node.
  '--endpoint-reconciler-type=none',
];

/** Pods reach it by the node's address, and it reaches kubelet for logs and exec. */
function nodeFlags(dir: string): string[] {
  const { kubeletClient } = nodePaths(dir);
  return [
    '--bind-address=0.0.0.0',
    `--advertise-address=${NODE.address}`,
    `--kubelet-client-certificate=${kubeletClient.certificate}`,
    `--kubelet-client-key=${kubeletClient.key}`,
    '--kubelet-preferred-address-types=Hostname',
  ];
}

/** `apiserverFlags` stand last, where they win over the flags before them. */
function buildApiserverArguments(dir: string, state: ClusterState): string[] {
  const file = paths(dir);
  return [
    `--etcd-servers=${etcdUrl(state)}`,
    ...(state.node ? nodeFlags(dir) : LOOPBACK_FLAGS),
    `--secure-port=${state.ports.apiserver}`,
    `--tls-cert-file=${file.servingCertificate}`,
    `--tls-private-key-file=${file.servingKey}`,
    `--client-ca-file=${file.ca}`,
    `--service-account-key-file=${file.serviceAccountKey}`,
    `--service-account-signing-key-file=${file.serviceAccountKey}`,
    '--service-account-issuer=https://kubernetes.default.svc',
    '--authorization-mode=Node,RBAC',
    '--service-cluster-ip-range=10.96.0.0/24',
    '--allow-privileged=true',
    '--profiling=false',
    ...state.apiserverFlags,
  ];
}

/** The controllers that act on what tests make, objects without nodes: fewer of them start faster and idle cheaper. */
const controllers = [
  'clusterrole-aggregation-controller',
  'garbage-collector-controller',
  'namespace-controller',
  'resourcequota-controller',
  'root-ca-certificate-publisher-controller',
  'serviceaccount-controller',
  'serviceaccount-token-controller',
];

function buildControllerManagerArguments(dir: string, state: ClusterState): string[] {
  const file = paths(dir);
  return [
    `--kubeconfig=${file.controllerManagerKubeconfig}`,
    `--controllers=${state.node ? '*' : controllers.join(',')}`,
    '--leader-elect=false',
    '--use-service-account-credentials=true',
    `--root-ca-file=${file.ca}`,
    `--service-account-private-key-file=${file.serviceAccountKey}`,
    '--bind-address=127.0.0.1',
    `--secure-port=${state.ports.controllerManager}`,
    `--tls-cert-file=${file.servingCertificate}`,
    `--tls-private-key-file=${file.servingKey}`,
    '--profiling=false',
  ];
}
