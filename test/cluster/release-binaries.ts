import { join } from 'node:path';
import { DownloadError } from './download-error.ts';
import { downloadRelease, type ReleaseSource } from './release-downloads.ts';
import { type PublishedBinary, releaseFolder, releaseOf } from './releases.ts';

interface ReleaseOptions {
  /** The project's cache. */
  readonly cache: string;
  readonly env: NodeJS.ProcessEnv;
  readonly signal?: AbortSignal | undefined;
  readonly source: ReleaseSource;
}

/** The path of a release binary, or why there is none. */
export type ReleaseResult = { readonly path: string } | { readonly reason: string };

const NOT_PUBLISHED = 'official release binaries of the control plane exist for Linux only (x64 and arm64)';

/** Sources one of whose sites failed, and how: the wait for its answer is not repeated for each program. */
const failedSources = new WeakMap<ReleaseSource, string>();

/** Where a downloaded program is kept, or undefined if none is published for this platform. */
export function releasePath(name: PublishedBinary, cache: string, source: ReleaseSource): string | undefined {
  const release = releaseOf(name, source.platform);
  return release && join(cache, releaseFolder(release), name);
}

/** Downloads a program's release, unless a site failed before in this process. */
export async function obtainRelease(name: PublishedBinary, options: ReleaseOptions): Promise<ReleaseResult> {
  const { cache, env, signal, source } = options;
  const release = releaseOf(name, source.platform);
  if (!release) return { reason: NOT_PUBLISHED };
  const failed = failedSources.get(source);
  if (failed) return { reason: failed };
  const target = join(cache, releaseFolder(release), name);
  try {
    await downloadRelease({ name, target, release, source, env, signal });
    return { path: target };
  } catch (error) {
    if (!(error instanceof DownloadError)) throw error;
    const reason = `no download of release binaries (${error.message})`;
    if (error.hostFailed) failedSources.set(source, reason);
    return { reason };
  }
}
