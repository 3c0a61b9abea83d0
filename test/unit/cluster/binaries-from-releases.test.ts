import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import {
  type BinaryOptions,
  cacheDir,
  ensureBinaries,
  ensureBinary,
  projectCache,
} from '../../cluster/binaries.ts';
import type { BinaryName } from '../../cluster/binary-sources.ts';
import { officialSource } from '../../cluster/release-downloads.ts';
import { formatVersion, kubernetesVersion } from '../../cluster/versions.ts';
import { type ReleaseSite, releasesAt, sends, startReleaseSite, staysSilent } from './release-site.ts';

describe('ensureBinary from a release', () => {
  let dir: string;
  let env: { KUBEBUILDER_ASSETS: string; XDG_CACHE_HOME: string; PATH: string };
  let site: ReleaseSite;
  let lines: string[];

  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'binaries-test-'));
    env = {
      KUBEBUILDER_ASSETS: join(dir, 'assets'),
      XDG_CACHE_HOME: join(dir, 'cache'),
      PATH: join(dir, 'path'),
    };
    site = await startReleaseSite();
    lines = [];
    jest.spyOn(console, 'error').mockImplementation((line) => lines.push(String(line)));
    jest.spyOn(process.stderr, 'write').mockReturnValue(true);
  });
  afterEach(async () => {
    jest.restoreAllMocks();
    await site.close();
    await rm(dir, { recursive: true });
  });

  /** Installs a program that prints its version. */
  async function install(path: string, version: string): Promise<string> {
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, `#!/bin/sh\necho 'Version: ${version}'\n`, { mode: 0o755 });
    return path;
  }

  const obtain = (name: BinaryName, options: Partial<BinaryOptions> = {}): Promise<string> =>
    ensureBinary(name, { env, releases: releasesAt(site.url), ...options });

  const messageOf = (binary: Promise<string>): Promise<string> =>
    binary.then((path) => `found: ${path}`, String);

  /** Has the site publish kube-apiserver. */
  function publish(): void {
    const path = `/v${version}/bin/linux/amd64/kube-apiserver`;
    site.answer(path, sends('the release'));
    site.answer(`${path}.sha512`, sends(createHash('sha512').update('the release').digest('hex')));
  }
  const version = formatVersion(kubernetesVersion());

  /** A Go that "compiles" whatever it is asked for. */
  async function installGo(): Promise<void> {
    await install(join(env.PATH, 'go'), '1.26.0');
    const build = [
      '[ "$1" = build ] || exit 0',
      `echo "$*" >>${join(dir, 'builds')}`,
      'for argument; do',
      '  if [ -n "$folder" ]; then',
      // Go names a program after the last part of its package that is no version.
      `    program=\${argument%/v3}`,
      `    echo "from source" >"$folder/\${program##*/}"`,
      `    /bin/chmod +x "$folder/\${program##*/}"`,
      '  fi',
      '  [ "$last" = -o ] && folder=$argument',
      '  last=$argument',
      'done',
      'exit 0',
    ].join('\n');
    await writeFile(join(env.PATH, 'go'), `#!/bin/sh\n${build}`);
  }

  test('loads it into the cache once, and takes it before Go', async () => {
    publish();
    await installGo();
    const path = await obtain('kube-apiserver');
    expect(path).toBe(join(projectCache(env), `release-kubernetes-${version}`, 'kube-apiserver'));
    expect(await readFile(path, 'utf8')).toBe('the release');
    const asked = site.requests.length;
    expect(await obtain('kube-apiserver')).toBe(path);
    expect(site.requests).toHaveLength(asked);
  });

  test('asks for none while a new enough one is on PATH', async () => {
    publish();
    const onPath = await install(join(env.PATH, 'kube-apiserver'), '1.30.0');
    expect(await obtain('kube-apiserver')).toBe(onPath);
    expect(site.requests).toEqual([]);
  });

  test('goes on with Go after a site stayed silent, which it says once and waits for once', async () => {
    await installGo();
    const limits = { answerMs: 50, stallMs: 50, allowHttpLoopback: true };
    for (const name of ['kube-apiserver', 'kube-controller-manager'] as const) {
      site.answer(`/v${version}/bin/linux/amd64/${name}.sha512`, staysSilent);
    }
    const releases = releasesAt(site.url, { limits });
    const path = await obtain('kube-apiserver', { releases });
    expect(await readFile(path, 'utf8')).toBe('from source\n');
    expect(path).toBe(join(cacheDir('kube-apiserver', env), 'kube-apiserver'));
    await obtain('kube-controller-manager', { releases });

    expect(site.requests).toHaveLength(1);
    expect(lines).toEqual([
      `no download of release binaries (${new URL(site.url).host}: no answer within 0.05 s): building with Go instead`,
    ]);
  });

  test('builds all that are missing at once, and none that is there', async () => {
    await installGo();
    const names = ['kubectl', 'etcd', 'helm', 'grpcurl'] as const;
    await install(join(cacheDir('helm', env), 'helm'), '4.0.0');
    await ensureBinaries(names, { env: { ...env, CONTROL_PLANE: 'source' } });
    const built = names.map((name) => readFile(join(cacheDir(name, env), name), 'utf8'));
    const source = 'from source\n';
    expect(await Promise.all(built)).toEqual([source, source, expect.stringContaining('4.0.0'), source]);
    expect((await readFile(join(dir, 'builds'), 'utf8')).trim().split('\n')).toHaveLength(1);
  });

  test('asks the site for the next program after one is missing there', async () => {
    await installGo();
    publish();
    const releases = releasesAt(site.url);
    expect(await obtain('kubectl', { releases })).toBe(join(cacheDir('kubectl', env), 'kubectl'));
    expect(await obtain('kube-apiserver', { releases })).toContain('release-kubernetes');
  });

  test('builds one that fails its checksum, and says so', async () => {
    await installGo();
    publish();
    site.answer(`/v${version}/bin/linux/amd64/kube-apiserver`, sends('something else'));
    expect(await readFile(await obtain('kube-apiserver'), 'utf8')).toBe('from source\n');
    expect(lines).toEqual([expect.stringMatching(/was removed: its sha512 digest is .*, expected .* Go/u)]);
  });

  test('waits 3 s for the first answer of an official site', () => {
    expect(officialSource.limits).toEqual({ answerMs: 3_000, stallMs: 20_000, allowHttpLoopback: false });
    expect(Object.values(officialSource.sites).every((url) => url.startsWith('https://'))).toBe(true);
  });

  describe('as CONTROL_PLANE chooses', () => {
    const choose = (way: string) => ({ ...env, CONTROL_PLANE: way });

    test('download: neither PATH nor a build nor Go will do', async () => {
      await installGo();
      await install(join(env.PATH, 'kube-apiserver'), '1.30.0');
      await install(join(cacheDir('kube-apiserver', env), 'kube-apiserver'), '1.30.0');
      const message = await messageOf(obtain('kube-apiserver', { env: choose('download') }));
      expect(message).toContain('kube-apiserver was not found with CONTROL_PLANE=download');
      expect(message).toContain('does not exist (404)');
      expect(message).toContain(`release-kubernetes-${version}`);
      expect(message).not.toMatch(/install Go|on PATH/u);

      publish();
      expect(await obtain('kube-apiserver', { env: choose('download') })).toContain('release-kubernetes');
    });

    test('source: neither PATH nor a download will do', async () => {
      publish();
      await obtain('kube-apiserver');
      const message = await messageOf(obtain('kube-apiserver', { env: choose('source') }));
      expect(message).toContain('kube-apiserver was not found with CONTROL_PLANE=source');
      expect(message).not.toMatch(/let this machine reach|on PATH/u);

      await installGo();
      await install(join(env.PATH, 'kube-apiserver'), '1.30.0');
      const asked = site.requests.length;
      expect(await obtain('kube-apiserver', { env: choose('source') })).toBe(
        join(cacheDir('kube-apiserver', env), 'kube-apiserver'),
      );
      expect(site.requests).toHaveLength(asked);
    });

    test('either: KUBEBUILDER_ASSETS wins', async () => {
      const asset = await install(join(env.KUBEBUILDER_ASSETS, 'etcd'), '3.6.0');
      expect(await obtain('etcd', { env: choose('download') })).toBe(asset);
      expect(await obtain('etcd', { env: choose('source') })).toBe(asset);
    });

    test('leaves programs alone that are not of the control plane', async () => {
      const onPath = await install(join(env.PATH, 'grpcurl'), '1.9.1');
      expect(await obtain('grpcurl', { env: choose('download') })).toBe(onPath);
    });

    test('rejects another value, even where nothing is missing', async () => {
      await install(join(env.KUBEBUILDER_ASSETS, 'etcd'), '3.6.0');
      expect(await messageOf(obtain('etcd', { env: choose('Download') }))).toContain(
        "CONTROL_PLANE is 'Download'. It takes 'download' (official release binaries) or 'source' (built with Go)",
      );
    });
  });

  test.each(['darwin', 'win32'] as const)('offers an own cluster first on %s', async (os) => {
    const releases = releasesAt(site.url, { platform: { os, arch: 'arm64' } });
    const message = await messageOf(obtain('kube-apiserver', { releases }));
    expect(message).toContain('official release binaries of the control plane exist for Linux only');
    expect(message).toContain('1. use a cluster that you have: CLUSTER=current make run');
    expect(message).not.toContain('let this machine reach');
  });

  test('builds with Go on macOS, and names the shorter way once', async () => {
    await installGo();
    const releases = releasesAt(site.url, { platform: { os: 'darwin', arch: 'arm64' } });
    await obtain('kube-apiserver', { releases });
    await obtain('etcd', { releases });
    expect(lines).toEqual([expect.stringContaining('CLUSTER=current make run uses a cluster that you have')]);
    expect(site.requests).toEqual([]);
  });

  test('loads kubectl for macOS', async () => {
    await installGo();
    const releases = releasesAt(site.url, { platform: { os: 'darwin', arch: 'arm64' } });
    await obtain('kubectl', { releases });
    expect(site.requests).toEqual([`/v${version}/bin/darwin/arm64/kubectl.sha512`]);
  });
});
