import { mkdir, mkdtemp, rename, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import {
  compareVersions,
  digestOf,
  kubernetesVersion,
  parseVersion,
  pinnedVersion,
} from '../../cluster/versions.ts';

const version = (major: number, minor: number, patch: number) => ({ major, minor, patch });

describe('parseVersion', () => {
  test.each([
    ['Kubernetes v1.37.2', version(1, 37, 2)],
    ['etcd Version: 3.7.3\nGit SHA: Not provided\nGo Version: go1.26.8', version(3, 7, 3)],
    ['Client Version: v1.30.0-rc.1+k3s1', version(1, 30, 0)],
    ['go 1.26', version(1, 26, 0)],
    ['unknown', undefined],
  ])('reads %p', (text, expected) => {
    expect(parseVersion(text)).toEqual(expected);
  });
});

describe('compareVersions', () => {
  test('orders by number, not by letter', () => {
    const sorted = [version(1, 4, 9), version(1, 4, 10), version(1, 30, 0), version(2, 0, 0)];

    expect(sorted.toReversed().sort(compareVersions)).toEqual(sorted);
  });

  test('finds equal versions equal', () => {
    expect(compareVersions(version(1, 2, 3), version(1, 2, 3))).toBe(0);
  });
});

describe('pinnedVersion', () => {
  const goMod = `go 1.26.0
tool (
	k8s.io/kubernetes
)
require (
	k8s.io/kubernetes-csi v9.9.9 // indirect
	k8s.io/kubernetes v1.37.2 // indirect
)
require example.org/single v0.4.0
replace k8s.io/api => k8s.io/api v0.37.2
`;

  test.each([
    ['in a block', 'k8s.io/kubernetes', version(1, 37, 2)],
    ['on a line of its own', 'example.org/single', version(0, 4, 0)],
  ])('finds a module %s', (_, module, expected) => {
    expect(pinnedVersion(goMod, module)).toEqual(expected);
  });

  test('throws for a module that is not required', () => {
    expect(() => pinnedVersion(goMod, 'k8s.io/api')).toThrow('go.mod requires no version of k8s.io/api');
  });

  test('works on the go.mod of this repository', () => {
    expect(kubernetesVersion().major).toBe(1);
  });
});

describe('digestOf', () => {
  let dir: string;

  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'digest-test-'));
    await mkdir(join(dir, 'module/below'), { recursive: true });
    await writeFile(join(dir, 'module/go.mod'), 'require example.org/tool v1.0.0');
    await writeFile(join(dir, 'module/below/main.go'), 'package main');
  });
  afterEach(() => rm(dir, { recursive: true }));

  const digest = (): string => digestOf(join(dir, 'module'));

  test.each([
    ['a pinned version', () => writeFile(join(dir, 'module/go.mod'), 'require example.org/tool v1.0.1')],
    ['a file further below', () => writeFile(join(dir, 'module/below/main.go'), 'package other')],
    ['the name of a file', () => rename(join(dir, 'module/go.mod'), join(dir, 'module/go.work'))],
    ['one file more', () => writeFile(join(dir, 'module/empty'), '')],
  ])('changes with %s', async (_, change) => {
    const before = digest();
    await change();
    expect(digest()).not.toBe(before);
  });

  test('stays the same in another place and at another time', async () => {
    const before = digest();
    await utimes(join(dir, 'module/go.mod'), 1, 1);
    await rename(join(dir, 'module'), join(dir, 'moved'));
    expect(digestOf(join(dir, 'moved'))).toBe(before);
  });
});
