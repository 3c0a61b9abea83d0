import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** A release number, compared field by field. */
export interface Version {
  readonly major: number;
  readonly minor: number;
  readonly patch: number;
}

/** The first `major.minor[.patch]` in `text` (say, of `--version`), or undefined where there is none. */
export function parseVersion(text: string): Version | undefined {
  const match = /(\d+)\.(\d+)(?:\.(\d+))?/.exec(text);
  if (!match) return undefined;
  return { major: Number(match[1]), minor: Number(match[2]), patch: Number(match[3] ?? 0) };
}

/** Negative, zero or positive as `a` is older than, the same as or newer than `b`. */
export function compareVersions(a: Version, b: Version): number {
  return a.major - b.major || a.minor - b.minor || a.patch - b.patch;
}

/** `1.37.2`, without a `v`. */
export function formatVersion(version: Version): string {
  return `${version.major}.${version.minor}.${version.patch}`;
}

/**
 * The version that a go.mod requires of `module`; go.mod is the one place that pins it.
 * @throws Error if the file doesn't require the module.
 */
export function pinnedVersion(goMod: string, module: string): Version {
  const line = goMod.split('\n').find((candidate) => {
    const words = candidate.trim().split(/\s+/);
    return words[words[0] === 'require' ? 1 : 0] === module;
  });
  const version = line && parseVersion(line.slice(line.indexOf(module) + module.length));
  if (!version) throw new Error(`go.mod requires no version of ${module}`);
  return version;
}

/** The folder of a Go module that binaries are built from. */
export function goModuleDir(name: 'kubernetes' | 'etcd'): string {
  return join(import.meta.dirname, 'go', name);
}

/** The Kubernetes version that go.mod pins: it stamps the binaries and names their cache. */
export function kubernetesVersion(): Version {
  return pinnedVersion(readFileSync(join(goModuleDir('kubernetes'), 'go.mod'), 'utf8'), 'k8s.io/kubernetes');
}
