import { join } from 'node:path';
import {
  digestOf,
  formatVersion,
  goModuleDir,
  kubernetesVersion,
  pinnedIn,
  type Version,
} from './versions.ts';

const ROOT = join(import.meta.dirname, '../..');
const CLIENTS = join(ROOT, 'test/clients/go');
const COREDNS = join(import.meta.dirname, 'go/coredns');
const PAUSE = join(import.meta.dirname, 'go/pause');
const PROMTOOL = join(ROOT, 'test/e2e/go/promtool');
const HELM = join(ROOT, 'test/e2e/go/helm');

/** How one binary is recognised on PATH and built from source. */
export interface BinarySource {
  /** The folder of the Go module that pins it. */
  readonly moduleDir: string;
  readonly package: string;
  /** Name of its folder in the project's cache: another one wherever another binary would be built. */
  readonly cacheFolder: () => string;
  /** What the linker writes into it. */
  readonly linkerFlags?: () => readonly string[];
  /** Whether a part of its code is generated from proto/, by the module's buf.gen.yaml. */
  readonly generated?: boolean;
  /** Absent where one that somebody else has built will not do. */
  readonly foreign?: ExternalBinary;
}

/** How a binary that somebody else has built tells its version, and which is good enough. */
export interface ExternalBinary {
  readonly versionArguments: readonly string[];
  readonly oldest: Version;
}

const controlPlaneFolder = (): string => formatVersion(kubernetesVersion());

const kubernetes = (name: string, versionArguments = ['--version']): BinarySource => ({
  moduleDir: goModuleDir('kubernetes'),
  package: `k8s.io/kubernetes/cmd/${name}`,
  cacheFolder: controlPlaneFolder,
  linkerFlags: stampKubernetes,
  foreign: { versionArguments, oldest: { major: 1, minor: 30, patch: 0 } },
});

/** Every binary that a cluster, or a test of the doors, may need. */
export const binarySources = {
  etcd: {
    moduleDir: goModuleDir('etcd'),
    package: 'go.etcd.io/etcd/server/v3',
    cacheFolder: controlPlaneFolder,
    foreign: { versionArguments: ['--version'], oldest: { major: 3, minor: 5, patch: 0 } },
  },
  'kube-apiserver': kubernetes('kube-apiserver'),
  'kube-controller-manager': kubernetes('kube-controller-manager'),
  'kube-proxy': kubernetes('kube-proxy'),
  'kube-scheduler': kubernetes('kube-scheduler'),
  kubectl: kubernetes('kubectl', ['version', '--client']),
  kubelet: kubernetes('kubelet'),
  coredns: {
    moduleDir: COREDNS,
    package: 'github.com/coredns/coredns',
    cacheFolder: () => `coredns-${digestOf(COREDNS)}`,
    foreign: { versionArguments: ['-version'], oldest: { major: 1, minor: 11, patch: 0 } },
  },
  pause: {
    moduleDir: PAUSE,
    package: '.',
    cacheFolder: () => `pause-${digestOf(PAUSE)}`,
  },
  promtool: {
    moduleDir: PROMTOOL,
    package: 'github.com/prometheus/prometheus/cmd/promtool',
    cacheFolder: () => `promtool-${digestOf(PROMTOOL)}`,
    foreign: { versionArguments: ['--version'], oldest: { major: 3, minor: 0, patch: 0 } },
  },
  helm: {
    moduleDir: HELM,
    package: 'helm.sh/helm/v4/cmd/helm',
    cacheFolder: () => `helm-${digestOf(HELM)}`,
    linkerFlags: stampHelm,
    foreign: { versionArguments: ['version'], oldest: { major: 4, minor: 0, patch: 0 } },
  },
  grpcurl: {
    moduleDir: join(CLIENTS, 'grpcurl'),
    package: 'github.com/fullstorydev/grpcurl/cmd/grpcurl',
    cacheFolder: () => `grpcurl-${digestOf(join(CLIENTS, 'grpcurl'))}`,
    linkerFlags: stampGrpcurl,
    foreign: { versionArguments: ['-version'], oldest: { major: 1, minor: 9, patch: 0 } },
  },
  m2mclient: {
    moduleDir: join(CLIENTS, 'm2mclient'),
    package: '.',
    cacheFolder: () =>
      `m2mclient-${digestOf(join(CLIENTS, 'm2mclient'), join(ROOT, 'proto/m2moauthserver'))}`,
    generated: true,
  },
  httpclient: {
    moduleDir: join(CLIENTS, 'httpclient'),
    package: '.',
    cacheFolder: () => `httpclient-${digestOf(join(CLIENTS, 'httpclient'))}`,
  },
} as const satisfies Record<string, BinarySource>;

export type BinaryName = keyof typeof binarySources;

/** Clients that parse the server's version (kubectl, helm) fail on an unstamped one. */
function stampKubernetes(): readonly string[] {
  const version = kubernetesVersion();
  const stamp = 'k8s.io/component-base/version';
  return [
    `-X ${stamp}.gitVersion=v${formatVersion(version)}`,
    `-X ${stamp}.gitMajor=${version.major}`,
    `-X ${stamp}.gitMinor=${version.minor}`,
  ];
}

/** An unstamped one says no version, and is not taken from PATH. */
function stampGrpcurl(): readonly string[] {
  const version = pinnedIn(join(CLIENTS, 'grpcurl'), 'github.com/fullstorydev/grpcurl');
  return [`-X main.version=v${formatVersion(version)}`];
}

/** An unstamped one calls itself 4.0 with a hint that it is none. */
function stampHelm(): readonly string[] {
  const version = formatVersion(pinnedIn(HELM, 'helm.sh/helm/v4'));
  return [`-X helm.sh/helm/v4/internal/version.version=v${version}`];
}
