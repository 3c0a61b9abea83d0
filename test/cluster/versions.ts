import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join, relative } from 'node:path';

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
    const at = words[0] === 'require' ? 1 : 0;
    return words[at] === module && words[at + 1]?.startsWith('v');
  });
  const version = line && parseVersion(line.slice(line.indexOf(module) + module.length));
  if (!version) throw new Error(`go.mod requires no version of ${module}`);
  return version;
}

/** The version that the go.mod in `moduleDir` requires of `module`. */
export function pinnedIn(moduleDir: string, module: string): Version {
  return pinnedVersion(readFileSync(join(moduleDir, 'go.mod'), 'utf8'), module);
}

/** The folder of the Go module that pins every program that is built here. */
export const GO_MODULE = join(import.meta.dirname, '../go');

/** The Kubernetes version that go.mod pins: it stamps the binaries and names their cache. */
export function kubernetesVersion(): Version {
  return pinnedIn(GO_MODULE, 'k8s.io/kubernetes');
}

/** The etcd version that go.mod pins. */
export function etcdVersion(): Version {
  return pinnedIn(GO_MODULE, 'go.etcd.io/etcd/server/v3');
}

/** A short name for the content of `paths`, which are files or folders: no two contents share one. */
export function digestOf(...paths: readonly string[]): string {
  const hash = createHash('sha256');
  for (const path of paths) {
    for (const file of filesIn(path)) {
      const content = readFileSync(file);
      hash.update(JSON.stringify([relative(path, file), content.length])).update(content);
    }
  }
  return hash.digest('hex').slice(0, 16);
}

function filesIn(path: string): readonly string[] {
  if (statSync(path).isFile()) return [path];
  return readdirSync(path, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
}
