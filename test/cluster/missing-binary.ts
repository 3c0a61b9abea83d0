import type { BinaryName, ExternalBinary } from './binary-sources.ts';
import { ClusterError } from './cluster-error.ts';
import type { ControlPlaneWay } from './control-plane-way.ts';
import type { ReleaseSource } from './release-downloads.ts';
import { isPublished, releaseOf } from './releases.ts';
import { formatVersion } from './versions.ts';

/** A binary that was neither found nor obtained. */
interface MissingBinary {
  readonly name: BinaryName;
  /** Where a build is kept. */
  readonly cached: string;
  readonly external: ExternalBinary | undefined;
  readonly way: ControlPlaneWay | undefined;
  readonly releases: ReleaseSource;
  /** Whether it was only looked for, and neither a download nor a build was tried. */
  readonly onlySought: boolean;
  /** Why there is no release binary, if one was wanted. */
  readonly reason: string | undefined;
}

/** An error that lists all ways to the binary, the shortest one first. */
export function missingBinaryError(missing: MissingBinary): ClusterError {
  const { name, way, reason } = missing;
  const chosen = way ? ` with CONTROL_PLANE=${way}` : '';
  const because = reason ? `: ${reason}` : '';
  const list = waysTo(missing).map((item, at) => `  ${at + 1}. ${item}`);
  return new ClusterError(
    [`${name} was not found${chosen}${because}. Any one of these helps:`, ...list].join('\n'),
  );
}

function waysTo({ name, cached, external, way, releases, onlySought }: MissingBinary): readonly string[] {
  const hasRelease = isPublished(name) && releaseOf(name, releases.platform) !== undefined;
  const ownCluster = isPublished(name) ? ['use a cluster that you have: CLUSTER=current make run'] : [];
  return [
    ...(onlySought ? ['run `make programs`, which downloads or builds what tests need'] : []),
    ...(hasRelease ? [] : ownCluster),
    ...(external ? ['set KUBEBUILDER_ASSETS to a folder that holds it (e.g. from setup-envtest)'] : []),
    `put it into the cache: ${cached}`,
    ...(external && !way ? [`put ${name} ${formatVersion(external.oldest)} or newer on PATH`] : []),
    ...(hasRelease && way !== 'source' ? [downloadWay(releases)] : []),
    ...(way === 'download' ? [] : ['install Go (https://go.dev/dl), and it is built from source, once']),
    ...(way ? [`unset CONTROL_PLANE, which is '${way}' and excludes the other ways`] : []),
    ...(hasRelease ? ownCluster : []),
  ];
}

function downloadWay({ sites }: ReleaseSource): string {
  const hosts = Object.values(sites).map((site) => new URL(site).host);
  return `let this machine reach ${hosts.join(' and ')} (HTTPS_PROXY counts), and the official release is downloaded`;
}
