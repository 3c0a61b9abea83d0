import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { cacheDir, ensureBinary } from '../../cluster/binaries.ts';

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

  async function install(path: string, version: string): Promise<string> {
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, `#!/bin/sh\necho 'etcd Version: ${version}'\n`);
    await chmod(path, 0o755);
    return path;
  }

  test('takes KUBEBUILDER_ASSETS before the cache, the cache before PATH', async () => {
    const onPath = await install(join(env.PATH, 'etcd'), '3.6.0');
    expect(await ensureBinary('etcd', { env })).toBe(onPath);

    const cached = await install(join(cacheDir(env), 'etcd'), '3.6.0');
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

  test('names all four ways where it finds none and has no Go to build with', async () => {
    const message = await ensureBinary('etcd', { env }).then(String, String);

    for (const way of [
      'KUBEBUILDER_ASSETS',
      join(cacheDir(env), 'etcd'),
      '3.5.0 or newer on PATH',
      'install Go',
    ]) {
      expect(message).toContain(way);
    }
  });
});
