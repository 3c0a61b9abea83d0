/** What a published file has to hash to. */
export type ChecksumAlgorithm = 'sha256' | 'sha512';

/** Checksums by the path of a release's file below its site, in lower-case hexadecimal. */
export type PinnedChecksums = Readonly<Record<string, string>>;

/**
 * Checksums that were read once and stand here, so that a file which is replaced later, together with its published
 * checksum, is refused. The table has none for the versions that go.mod pins today: where they were pinned, the release
 * sites can't be reached. A file that is missing here is held to the checksum that its site publishes over https, which
 * finds a broken download but not a site that was taken over.
 *
 * Fill it when go.mod changes, on a machine that reaches both sites, and verify what you copy
 * (https://kubernetes.io/docs/tasks/administer-cluster/verify-signed-artifacts):
 *
 *     curl -fsSL https://dl.k8s.io/release/v1.37.2/bin/linux/amd64/kube-apiserver.sha512
 *       → 'v1.37.2/bin/linux/amd64/kube-apiserver': '…128 digits…'
 *     curl -fsSL https://github.com/etcd-io/etcd/releases/download/v3.7.3/SHA256SUMS
 *       → 'v3.7.3/etcd-v3.7.3-linux-amd64.tar.gz': '…64 digits…'
 */
export const pinnedChecksums: PinnedChecksums = {};

const HEX_DIGITS: Readonly<Record<ChecksumAlgorithm, number>> = { sha256: 64, sha512: 128 };

/**
 * The checksum of `file` in a published list: a line `<digest>  <file>` as sha256sum writes it, or a digest alone, as
 * dl.k8s.io publishes it.
 */
export function checksumIn(list: string, file: string, algorithm: ChecksumAlgorithm): string | undefined {
  const lines = list.trim().split(/\r?\n/u);
  for (const line of lines) {
    const [, digest, name] = /^([0-9a-f]+)(?:[ \t]+\*?(\S+))?$/iu.exec(line.trim()) ?? [];
    const isAbout = name === undefined ? lines.length === 1 : name === file;
    if (digest?.length === HEX_DIGITS[algorithm] && isAbout) return digest.toLowerCase();
  }
  return undefined;
}
