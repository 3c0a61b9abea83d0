import type { BinaryName } from './binary-sources.ts';
import type { ChecksumAlgorithm } from './release-checksums.ts';
import { etcdVersion, formatVersion, kubernetesVersion } from './versions.ts';

/** Sites that publish releases, without a slash at the end. */
export interface ReleaseSites {
  readonly kubernetes: string;
  readonly etcd: string;
}

export const officialSites: ReleaseSites = {
  kubernetes: 'https://dl.k8s.io/release',
  etcd: 'https://github.com/etcd-io/etcd/releases/download',
};

/** What a program is released for, in Node's words. */
export interface Platform {
  readonly os: NodeJS.Platform;
  readonly arch: string;
}

/** A published file that is a program, or holds it. */
export interface Release {
  readonly site: keyof ReleaseSites;
  readonly version: string;
  /** Below the site; the key of a pinned checksum. */
  readonly path: string;
  /** Below the site; the file that lists its checksum. */
  readonly checksumPath: string;
  readonly algorithm: ChecksumAlgorithm;
  /** Where the program is in a tar.gz; absent where the file is the program. */
  readonly member?: string;
}

const GO_ARCH: Readonly<Record<string, string>> = { x64: 'amd64', arm64: 'arm64' };

/** Programs that Kubernetes and etcd publish binaries of, and the operating systems that are of use here. */
const PUBLISHED = {
  etcd: ['linux'],
  'kube-apiserver': ['linux'],
  'kube-controller-manager': ['linux'],
  'kube-proxy': ['linux'],
  'kube-scheduler': ['linux'],
  kubelet: ['linux'],
  kubectl: ['linux', 'darwin'],
} as const satisfies { readonly [name in BinaryName]?: readonly NodeJS.Platform[] };

export type PublishedBinary = keyof typeof PUBLISHED;

export function isPublished(name: BinaryName): name is PublishedBinary {
  return name in PUBLISHED;
}

/** The release of the version that go.mod pins, or undefined if none is published for the platform. */
export function releaseOf(name: PublishedBinary, { os, arch }: Platform): Release | undefined {
  const goArch = GO_ARCH[arch];
  const systems: readonly NodeJS.Platform[] = PUBLISHED[name];
  if (!goArch || !systems.includes(os)) return undefined;
  return name === 'etcd' ? etcdRelease(os, goArch) : kubernetesRelease(name, `${os}/${goArch}`);
}

/** The folder in the project's cache that holds a downloaded program, apart from those that were built. */
export function releaseFolder({ site, version }: Release): string {
  return `release-${site}-${version}`;
}

function kubernetesRelease(name: PublishedBinary, platform: string): Release {
  const version = formatVersion(kubernetesVersion());
  const path = `v${version}/bin/${platform}/${name}`;
  return { site: 'kubernetes', version, path, checksumPath: `${path}.sha512`, algorithm: 'sha512' };
}

function etcdRelease(os: NodeJS.Platform, goArch: string): Release {
  const version = formatVersion(etcdVersion());
  const folder = `etcd-v${version}-${os}-${goArch}`;
  return {
    site: 'etcd',
    version,
    path: `v${version}/${folder}.tar.gz`,
    checksumPath: `v${version}/SHA256SUMS`,
    algorithm: 'sha256',
    member: `${folder}/etcd`,
  };
}
