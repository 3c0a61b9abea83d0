import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { cacheDir, ensureBinary, isFound, isWithinReach, locateBinary } from '../../cluster/binaries.ts';
import type { BinaryName } from '../../cluster/binary-sources.ts';
import { formatVersion, kubernetesVersion } from '../../cluster/versions.ts';
import { releasesAt } from './release-site.ts';

/** Where a connection is rejected at once. */
const CLOSED = 'http://127.0.0.1:1';

describe('ensureBinary', () => {
  let dir: string;
  let env: { KUBEBUILDER_ASSETS: string; XDG_CACHE_HOME: string; PATH: string };

  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'binaries-test-'));
    env = {
      KUBEBUILDER_ASSETS: join(dir, 'assets'),
      XDG_CACHE_HOME: join(dir, 'cache'),
      PATH: join(dir, 'path'),
    };
  });
  afterEach(() => rm(dir, { recursive: true }));

  async function install(path: string, version: string, stream: 1 | 2 = 1): Promise<string> {
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, `#!/bin/sh\necho 'etcd Version: ${version}' >&${stream}\n`);
    await chmod(path, 0o755);
    return path;
  }

  test('takes KUBEBUILDER_ASSETS before the cache, the cache before PATH', async () => {
    const onPath = await install(join(env.PATH, 'etcd'), '3.6.0');
    expect(await ensureBinary('etcd', { env })).toBe(onPath);

    const cached = await install(join(cacheDir('etcd', env), 'etcd'), '3.6.0');
    expect(await ensureBinary('etcd', { env })).toBe(cached);

    const asset = await install(join(env.KUBEBUILDER_ASSETS, 'etcd'), '3.6.0');
    expect(await ensureBinary('etcd', { env })).toBe(asset);
  });

  test('passes over one on PATH that is too old', async () => {
    await install(join(env.PATH, 'etcd'), '3.4.23');
    const newer = await install(join(dir, 'later', 'etcd'), '3.5.0');

    expect(await ensureBinary('etcd', { env: { ...env, PATH: `${env.PATH}:${dirname(newer)}` } })).toBe(
      newer,
    );
  });

  test('names all ways where it finds none, reaches no release and has no Go to build with', async () => {
    const message = await ensureBinary('etcd', { env, releases: releasesAt(CLOSED) }).then(String, String);

    for (const way of [
      'ECONNREFUSED',
      'KUBEBUILDER_ASSETS',
      join(cacheDir('etcd', env), 'etcd'),
      '3.5.0 or newer on PATH',
      'let this machine reach 127.0.0.1:1',
      'install Go',
      'CLUSTER=current make run',
    ]) {
      expect(message).toContain(way);
    }
  });

  test('reads a version from stderr too, where grpcurl prints it', async () => {
    await install(join(env.PATH, 'grpcurl'), '1.8.9', 2);
    const newer = await install(join(dir, 'later', 'grpcurl'), '1.9.1', 2);

    expect(await ensureBinary('grpcurl', { env: { ...env, PATH: `${env.PATH}:${dirname(newer)}` } })).toBe(
      newer,
    );
  });

  test("takes this repository's own client from the cache alone", async () => {
    await install(join(env.KUBEBUILDER_ASSETS, 'm2mclient'), '9.9.9');
    await install(join(env.PATH, 'm2mclient'), '9.9.9');
    const message = await ensureBinary('m2mclient', { env }).then(String, String);
    expect(message).toContain('install Go');
    expect(message).not.toMatch(/KUBEBUILDER_ASSETS|PATH/u);

    const cached = await install(join(cacheDir('m2mclient', env), 'm2mclient'), '0.0.0');
    expect(await ensureBinary('m2mclient', { env })).toBe(cached);
  });

  test('tells what is within reach', async () => {
    expect(await isWithinReach('grpcurl', env)).toBe(false);
    await install(join(env.KUBEBUILDER_ASSETS, 'grpcurl'), '1.9.3');
    expect(await isWithinReach('grpcurl', env)).toBe(true);
    expect(await isWithinReach('m2mclient', env)).toBe(false);
    await install(join(env.PATH, 'go'), '1.26.0');
    expect(await isWithinReach('m2mclient', env)).toBe(true);
    expect(await isWithinReach('kube-apiserver', { ...env, CONTROL_PLANE: 'source' })).toBe(true);
    await rm(join(env.PATH, 'go'));
    expect(await isWithinReach('kube-apiserver', { ...env, CONTROL_PLANE: 'source' })).toBe(false);
  });
});

describe('locateBinary', () => {
  test('finds what is there, and obtains nothing', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'binaries-test-'));
    try {
      const env = { XDG_CACHE_HOME: dir, PATH: process.env.PATH };
      expect(await isFound('httpclient', env)).toBe(false);
      await expect(locateBinary('httpclient', { env })).rejects.toThrow('1. run `make programs`');
      const path = join(cacheDir('httpclient', env), 'httpclient');
      await mkdir(dirname(path), { recursive: true });
      await writeFile(path, '', { mode: 0o755 });
      expect(await isFound('httpclient', env)).toBe(true);
      expect(await locateBinary('httpclient', { env })).toBe(path);
    } finally {
      await rm(dir, { recursive: true });
    }
  });
});

describe('cacheDir', () => {
  const folder = (name: BinaryName): string => basename(cacheDir(name, {}));

  test('keeps the control plane by the version of Kubernetes', () => {
    expect(folder('etcd')).toBe(formatVersion(kubernetesVersion()));
    expect(folder('kubectl')).toBe(folder('etcd'));
  });

  test.each(['grpcurl', 'helm'] as const)('keeps %s by its version', (name) => {
    expect(folder(name)).toMatch(new RegExp(`^${name}-\\d+\\.\\d+\\.\\d+$`, 'u'));
  });

  test.each(['m2mclient', 'verifier', 'alertrules', 'coredns'] as const)(
    'keeps %s by all that it is built from',
    (name) => {
      expect(folder(name)).toMatch(new RegExp(`^${name}-[0-9a-f]{16}$`, 'u'));
    },
  );
});
