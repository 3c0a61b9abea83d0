import { join } from 'node:path';
import { digestOf, formatVersion, GO_MODULE, kubernetesVersion, pinnedIn, type Version } from './versions.ts';

const ROOT = join(import.meta.dirname, '../..');
const PROTO = join(ROOT, 'proto/m2moauthserver');
/** The page of which a block is the program `verifier`. */
export const VERIFY_PAGE = join(ROOT, 'docs/verify.md');

/** How one binary is recognized on PATH and built from source. */
export interface BinarySource {
  /** The package to build, as seen from the folder of the Go module. */
  readonly package: string;
  /** The file name that `go build` gives it, where that is not the binary's name. */
  readonly builtAs?: string;
  /** Name of its folder in the project's cache: another one wherever another binary would be built. */
  readonly cacheFolder: () => string;
  /** Absent if only a binary built here will do. */
  readonly external?: ExternalBinary;
}

/** How an installed binary shows its version, and the oldest one that will do. */
export interface ExternalBinary {
  readonly versionArguments: readonly string[];
  readonly oldest: Version;
}

const HELM = 'helm.sh/helm/v4';
const GRPCURL = 'github.com/fullstorydev/grpcurl';

const controlPlaneFolder = (): string => formatVersion(kubernetesVersion());
const pinned = (module: string): string => formatVersion(pinnedIn(GO_MODULE, module));

const kubernetes = (name: string, versionArguments = ['--version']): BinarySource => ({
  package: `k8s.io/kubernetes/cmd/${name}`,
  cacheFolder: controlPlaneFolder,
  external: { versionArguments, oldest: { major: 1, minor: 30, patch: 0 } },
});

/** A program whose source is in this repository, with `inputs` besides its own folder. */
const own = (name: string, ...inputs: readonly string[]) => ({
  package: `./${name}`,
  cacheFolder: () => {
    const files = ['go.mod', 'go.sum', name].map((file) => join(GO_MODULE, file));
    return `${name}-${digestOf(...files, ...inputs)}`;
  },
});

/** Every binary that a cluster or a test may need. */
export const binarySources = {
  etcd: {
    package: 'go.etcd.io/etcd/server/v3',
    builtAs: 'server',
    cacheFolder: controlPlaneFolder,
    external: { versionArguments: ['--version'], oldest: { major: 3, minor: 5, patch: 0 } },
  },
  'kube-apiserver': kubernetes('kube-apiserver'),
  'kube-controller-manager': kubernetes('kube-controller-manager'),
  'kube-proxy': kubernetes('kube-proxy'),
  'kube-scheduler': kubernetes('kube-scheduler'),
  kubectl: kubernetes('kubectl', ['version', '--client']),
  kubelet: kubernetes('kubelet'),
  coredns: {
    ...own('coredns'),
    external: { versionArguments: ['-version'], oldest: { major: 1, minor: 11, patch: 0 } },
  },
  pause: own('pause'),
  alertrules: own('alertrules'),
  helm: {
    package: `${HELM}/cmd/helm`,
    cacheFolder: () => `helm-${pinned(HELM)}`,
    external: { versionArguments: ['version'], oldest: { major: 4, minor: 0, patch: 0 } },
  },
  grpcurl: {
    package: `${GRPCURL}/cmd/grpcurl`,
    cacheFolder: () => `grpcurl-${pinned(GRPCURL)}`,
    external: { versionArguments: ['-version'], oldest: { major: 1, minor: 9, patch: 0 } },
  },
  m2mclient: own('m2mclient', PROTO),
  httpclient: own('httpclient'),
  verifier: own('verifier', VERIFY_PAGE),
} as const satisfies Record<string, BinarySource>;

export type BinaryName = keyof typeof binarySources;

/** What runs Pods beside a control plane. */
const NODE_PARTS = ['kubelet', 'kube-proxy', 'kube-scheduler', 'coredns', 'pause'] as const;
const CONTROL_PLANE = ['etcd', 'kube-apiserver', 'kube-controller-manager'] as const;
const CLIENTS = ['kubectl', 'helm', 'grpcurl', 'm2mclient', 'httpclient', 'verifier', 'alertrules'] as const;

/** The binaries that a task needs. */
export const binarySets = {
  run: CONTROL_PLANE,
  test: [...CONTROL_PLANE, ...CLIENTS],
  node: [...CONTROL_PLANE, ...NODE_PARTS],
  e2e: [...CONTROL_PLANE, ...NODE_PARTS, 'kubectl', 'helm'],
} as const satisfies Record<string, readonly BinaryName[]>;

/**
 * What the linker writes into the binaries; each ignores the symbols that it lacks. Clients that parse a version
 * (kubectl, helm) fail on an unstamped server, grpcurl and helm are not recognized on PATH without one.
 */
export function linkerFlags(): readonly string[] {
  const version = kubernetesVersion();
  const component = 'k8s.io/component-base/version';
  return [
    '-s -w',
    `-X ${component}.gitVersion=v${formatVersion(version)}`,
    `-X ${component}.gitMajor=${version.major}`,
    `-X ${component}.gitMinor=${version.minor}`,
    `-X main.version=v${pinned(GRPCURL)}`,
    `-X ${HELM}/internal/version.version=v${pinned(HELM)}`,
  ];
}
