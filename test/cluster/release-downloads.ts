import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { chmod, readdir, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { promisify } from 'node:util';
import { DownloadError } from './download-error.ts';
import { type DownloadLimits, type DownloadRequest, download } from './https-download.ts';
import { type Product, produceOnce } from './produce-once.ts';
import { reportProgress } from './progress.ts';
import { checksumIn, type PinnedChecksums, pinnedChecksums } from './release-checksums.ts';
import { officialSites, type Platform, type Release, type ReleaseSites } from './releases.ts';

/** Where releases come from; tests give sites and deadlines of their own. */
export interface ReleaseSource {
  readonly sites: ReleaseSites;
  readonly pinned: PinnedChecksums;
  readonly limits: DownloadLimits;
  readonly platform: Platform;
}

export const officialSource: ReleaseSource = {
  sites: officialSites,
  pinned: pinnedChecksums,
  limits: { answerMs: 3_000, stallMs: 20_000, allowHttpLoopback: false },
  platform: { os: process.platform, arch: process.arch },
};

interface ReleaseDownload extends Product {
  readonly release: Release;
  readonly source: ReleaseSource;
  readonly env: NodeJS.ProcessEnv;
}

const MAX_FILE_BYTES = 500_000_000;
const MAX_CHECKSUMS_BYTES = 100_000;

/**
 * Downloads a program to `target`, executable, once its digest is the pinned or else the published one. Callers at the
 * same time share one download.
 * @throws DownloadError, and leaves nothing behind.
 */
export async function downloadRelease(wanted: ReleaseDownload): Promise<void> {
  await produceOnce(wanted, async (unfinished) => {
    await removeUnfinished(wanted.target);
    const { member } = wanted.release;
    const file = member ? `${unfinished}.tar.gz` : unfinished;
    try {
      const expected = await expectedDigest(wanted);
      const actual = await downloadFile(wanted, file);
      if (actual !== expected) throw mismatch(wanted, { expected, actual });
      if (member) await extract({ archive: file, member, output: unfinished, signal: wanted.signal });
      await chmod(unfinished, 0o755);
    } finally {
      if (member) await rm(file, { force: true });
    }
  });
}

/** Removes what processes left behind that were killed while they downloaded; the caller holds the lock. */
async function removeUnfinished(target: string): Promise<void> {
  for (const file of await readdir(dirname(target))) {
    const isUnfinished = file.startsWith(`${basename(target)}.`) && /\.part(?:\.tar\.gz)?$/u.test(file);
    if (isUnfinished) await rm(join(dirname(target), file), { force: true });
  }
}

async function expectedDigest(wanted: ReleaseDownload): Promise<string> {
  const { release, source } = wanted;
  const pinned = source.pinned[release.path];
  if (pinned) return pinned;
  const request = requestOf(wanted, release.checksumPath, MAX_CHECKSUMS_BYTES);
  const list = await download(request, async ({ chunks }) => {
    const pieces: Uint8Array[] = [];
    for await (const chunk of chunks) pieces.push(chunk);
    return Buffer.concat(pieces).toString('utf8');
  });
  const digest = checksumIn(list, basename(release.path), release.algorithm);
  if (digest) return digest;
  const reason = `${request.url} holds no ${release.algorithm} checksum of ${basename(release.path)}`;
  throw new DownloadError(reason, { hostFailed: false });
}

/** Writes the file, not executable yet, and returns its digest. */
function downloadFile(wanted: ReleaseDownload, file: string): Promise<string> {
  const { release, name } = wanted;
  return download(requestOf(wanted, release.path, MAX_FILE_BYTES), async ({ totalBytes, chunks }) => {
    const hash = createHash(release.algorithm);
    let received = 0;
    const describe = () => `${megabytes(received)} of ${totalBytes ? megabytes(totalBytes) : '?'} MB`;
    const endProgress = reportProgress(`downloading ${name} ${release.version}`, {
      describe,
      intervalMs: 5_000,
    });
    const measured = async function* () {
      for await (const chunk of chunks) {
        received += chunk.length;
        hash.update(chunk);
        yield chunk;
      }
    };
    await pipeline(measured, createWriteStream(file, { mode: 0o600 })).finally(endProgress);
    return hash.digest('hex');
  });
}

function requestOf(wanted: ReleaseDownload, path: string, maxBytes: number): DownloadRequest {
  const { source, release, env, signal } = wanted;
  return { url: `${source.sites[release.site]}/${path}`, maxBytes, limits: source.limits, env, signal };
}

function megabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(0);
}

interface Digests {
  readonly expected: string;
  readonly actual: string;
}

function mismatch({ release, source }: ReleaseDownload, { expected, actual }: Digests): DownloadError {
  const url = `${source.sites[release.site]}/${release.path}`;
  const message = `${url} was removed: its ${release.algorithm} digest is ${actual}, expected ${expected}`;
  return new DownloadError(message, { hostFailed: false });
}

interface Extraction {
  readonly archive: string;
  readonly member: string;
  readonly output: string;
  readonly signal: AbortSignal | undefined;
}

/** tar writes the one member to its stdout, so that no path in the archive counts. */
async function extract({ archive, member, output, signal }: Extraction): Promise<void> {
  const options = { encoding: 'buffer', maxBuffer: MAX_FILE_BYTES, timeout: 60_000, signal } as const;
  const { stdout } = await promisify(execFile)('tar', ['-xzOf', archive, member], options).catch((cause) => {
    signal?.throwIfAborted();
    throw new DownloadError(`tar can't extract ${member}: ${cause.message}`, { hostFailed: false, cause });
  });
  await writeFile(output, stdout, { mode: 0o600 });
}
