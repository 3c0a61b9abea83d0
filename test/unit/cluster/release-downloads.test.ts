import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { constants } from 'node:fs';
import { access, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import type { PinnedChecksums } from '../../cluster/release-checksums.ts';
import { downloadRelease } from '../../cluster/release-downloads.ts';
import { type PublishedBinary, type Release, releaseOf } from '../../cluster/releases.ts';
import { eventually } from '../../support/eventually.ts';
import {
  breaksOffIn,
  type ReleaseSite,
  releasesAt,
  sends,
  sendsWebPage,
  startReleaseSite,
} from './release-site.ts';

const PROGRAM = '#!/bin/sh\necho "a program"\n';
const platform = { os: 'linux', arch: 'x64' } as const;

const released = (name: PublishedBinary): Release => {
  const release = releaseOf(name, platform);
  if (!release) throw new Error(`${name} is not published`);
  return release;
};

const digestOf = (content: string | Uint8Array, algorithm: 'sha256' | 'sha512'): string =>
  createHash(algorithm).update(content).digest('hex');

describe('downloadRelease', () => {
  const apiserver = released('kube-apiserver');
  const etcd = released('etcd');
  let site: ReleaseSite;
  let dir: string;
  let stderr: string;

  beforeEach(async () => {
    site = await startReleaseSite();
    dir = await mkdtemp(join(tmpdir(), 'release-test-'));
    stderr = '';
    jest.spyOn(process.stderr, 'write').mockImplementation((text) => {
      stderr += text;
      return true;
    });
  });
  afterEach(async () => {
    jest.restoreAllMocks();
    await site.close();
    await rm(dir, { recursive: true });
  });

  const source = (pinned: PinnedChecksums = {}) => releasesAt(site.url, { pinned });

  function fetchRelease(name: PublishedBinary, from = source()): Promise<void> {
    const release = released(name);
    return downloadRelease({
      name,
      release,
      target: join(dir, name),
      source: from,
      env: process.env,
      signal: undefined,
    });
  }

  const messageOf = (download: Promise<void>): Promise<string> =>
    download.then(String, ({ message }) => message);

  /** Puts a tar.gz with a program at the release's path for it. */
  async function packEtcd(member: string): Promise<Buffer> {
    await mkdir(join(dir, 'pack', dirname(member)), { recursive: true });
    await writeFile(join(dir, 'pack', member), PROGRAM);
    const archive = execFileSync('tar', ['-czf', '-', '-C', join(dir, 'pack'), member]);
    await rm(join(dir, 'pack'), { recursive: true });
    site.answer(`/${etcd.path}`, sends(archive));
    site.answer(
      `/${etcd.checksumPath}`,
      sends(`${'0'.repeat(64)}  etcd-other.zip\n${digestOf(archive, 'sha256')}  ${archiveName}\n`),
    );
    return archive;
  }
  const archiveName = etcd.path.slice(etcd.path.indexOf('/') + 1);

  test('installs a program whose digest is the published one', async () => {
    site.answer(`/${apiserver.path}`, sends(PROGRAM));
    site.answer(`/${apiserver.checksumPath}`, sends(digestOf(PROGRAM, 'sha512'), 'text/plain'));
    await fetchRelease('kube-apiserver');

    await access(join(dir, 'kube-apiserver'), constants.X_OK);
    expect(await readFile(join(dir, 'kube-apiserver'), 'utf8')).toBe(PROGRAM);
    expect(await readdir(dir)).toEqual(['kube-apiserver']);
  });

  test('reports how much of how much has come', async () => {
    const program = Buffer.alloc(3_000_000);
    site.answer(`/${apiserver.path}`, sends(program));
    site.answer(`/${apiserver.checksumPath}`, sends(digestOf(program, 'sha512')));
    await fetchRelease('kube-apiserver');

    expect(stderr).toContain(`downloading kube-apiserver ${apiserver.version}: 0 of 3 MB`);
    expect(stderr).toContain(`downloading kube-apiserver ${apiserver.version}: 3 of 3 MB`);
  });

  test('takes etcd out of its archive', async () => {
    await packEtcd(String(etcd.member));
    await fetchRelease('etcd');

    await access(join(dir, 'etcd'), constants.X_OK);
    expect(await readFile(join(dir, 'etcd'), 'utf8')).toBe(PROGRAM);
    expect(await readdir(dir)).toEqual(['etcd']);
  });

  test('rejects an archive without the program', async () => {
    await packEtcd('elsewhere/etcd');
    expect(await messageOf(fetchRelease('etcd'))).toContain(`tar can't extract ${etcd.member}`);
    expect(await readdir(dir)).toEqual([]);
  });

  test('removes a program that differs from its published checksum, and names both digests', async () => {
    const expected = digestOf('another program', 'sha512');
    site.answer(`/${apiserver.path}`, sends(PROGRAM));
    site.answer(`/${apiserver.checksumPath}`, sends(expected));

    expect(await messageOf(fetchRelease('kube-apiserver'))).toBe(
      `${site.url}/${apiserver.path} was removed: its sha512 digest is ${digestOf(PROGRAM, 'sha512')}, ` +
        `expected ${expected}`,
    );
    expect(await readdir(dir)).toEqual([]);
  });

  test('does not unpack an archive that differs from its checksum', async () => {
    await packEtcd(String(etcd.member));
    site.answer(`/${etcd.checksumPath}`, sends(`${'1'.repeat(64)}  ${archiveName}\n`));
    expect(await messageOf(fetchRelease('etcd'))).toContain(`expected ${'1'.repeat(64)}`);
    expect(await readdir(dir)).toEqual([]);
  });

  test('holds a program to its pinned checksum and does not ask for the published one', async () => {
    site.answer(`/${apiserver.path}`, sends(PROGRAM));
    site.answer(`/${apiserver.checksumPath}`, sends(digestOf(PROGRAM, 'sha512')));
    const wrong = 'a'.repeat(128);
    const failure = fetchRelease('kube-apiserver', source({ [apiserver.path]: wrong }));
    expect(await messageOf(failure)).toContain(`expected ${wrong}`);

    await fetchRelease('kube-apiserver', source({ [apiserver.path]: digestOf(PROGRAM, 'sha512') }));
    expect(await readdir(dir)).toEqual(['kube-apiserver']);
    expect(site.requests).not.toContain(`/${apiserver.checksumPath}`);
  });

  test.each([
    ['a web page', sendsWebPage, 'a web page in place of the file'],
    [
      'a list without the file',
      sends(`${'0'.repeat(128)}  kubectl`),
      'holds no sha512 checksum of kube-apiserver',
    ],
  ])('rejects %s in place of the checksum, before the program', async (_, checksum, reason) => {
    site.answer(`/${apiserver.path}`, sends(PROGRAM));
    site.answer(`/${apiserver.checksumPath}`, checksum);
    expect(await messageOf(fetchRelease('kube-apiserver'))).toContain(reason);
    expect(site.requests).toEqual([`/${apiserver.checksumPath}`]);
    expect(await readdir(dir)).toEqual([]);
  });

  test('leaves nothing of a program that breaks off', async () => {
    site.answer(`/${apiserver.path}`, breaksOffIn(PROGRAM));
    site.answer(`/${apiserver.checksumPath}`, sends(digestOf(PROGRAM, 'sha512')));
    expect(await messageOf(fetchRelease('kube-apiserver'))).toContain('the download broke off');
    expect(await readdir(dir)).toEqual([]);
  });

  test('goes on where a process was killed, and removes what it left behind', async () => {
    const { pid } = spawnSync('true');
    await writeFile(join(dir, 'kube-apiserver.lock'), String(pid));
    for (const left of [
      `kube-apiserver.${pid}.part`,
      `kube-apiserver.${pid}.part.tar.gz`,
      'kube-apiserver-like.part',
    ]) {
      await writeFile(join(dir, left), 'half of a program');
    }
    site.answer(`/${apiserver.path}`, sends(PROGRAM));
    site.answer(`/${apiserver.checksumPath}`, sends(digestOf(PROGRAM, 'sha512')));
    await fetchRelease('kube-apiserver');
    expect(await readdir(dir)).toEqual(['kube-apiserver', 'kube-apiserver-like.part']);
  });

  describe('of two callers at the same time', () => {
    /** Answers the request for the program when the second caller waits. */
    function withheld(): { asked: Promise<void>; send: () => void } {
      const { promise: asked, resolve } = Promise.withResolvers<void>();
      const held = { asked, send: () => {} };
      site.answer(`/${apiserver.checksumPath}`, sends(digestOf(PROGRAM, 'sha512')));
      site.answer(`/${apiserver.path}`, (request, response) => {
        held.send = () => sends(PROGRAM)(request, response);
        resolve();
      });
      return held;
    }

    const downloads = (): number => site.requests.filter((path) => path === `/${apiserver.path}`).length;
    const WAITS = 'waiting for another process that makes kube-apiserver';

    test('one in this process downloads and the other waits', async () => {
      const program = withheld();
      const first = fetchRelease('kube-apiserver');
      await program.asked;
      const second = fetchRelease('kube-apiserver');
      await eventually(() => expect(stderr).toContain(WAITS));
      program.send();
      await Promise.all([first, second]);
      expect(downloads()).toBe(1);
    });

    test('one in another process waits too', async () => {
      const program = withheld();
      const first = fetchRelease('kube-apiserver');
      await program.asked;
      const other = startOtherProcess();
      await other.says(WAITS);
      program.send();
      await first;
      expect(await other.exitCode).toBe(0);
      expect(downloads()).toBe(1);
    });

    function startOtherProcess() {
      const script = `import { downloadRelease } from ${JSON.stringify(MODULE)};
        await downloadRelease({ ...JSON.parse(process.argv[1]), env: process.env });`;
      const wanted = {
        name: 'kube-apiserver',
        release: apiserver,
        target: join(dir, 'kube-apiserver'),
        source: source(),
      };
      const child = spawn(process.execPath, ['--input-type=module', '-e', script, JSON.stringify(wanted)]);
      let said = '';
      child.stderr.on('data', (text) => {
        said += text;
      });
      const exitCode = once(child, 'exit').then(([code]) => code);
      return { exitCode, says: (text: string) => eventually(() => expect(said).toContain(text)) };
    }
  });
});

const MODULE = pathToFileURL(join(import.meta.dirname, '../../cluster/release-downloads.ts')).href;
