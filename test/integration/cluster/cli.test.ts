import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, readFile, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { bodyOf, testApi } from '../../support/api.ts';

// Each command is a process of its own, on a machine that may be busy.
const script = join(import.meta.dirname, '..', '..', 'cluster', 'cli.ts');

interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

function cli(...args: string[]): Promise<Outcome> {
  return new Promise((resolve) => {
    execFile(process.execPath, [script, ...args], (error, stdout, stderr) => {
      resolve({ code: error ? Number(error.code) : 0, stdout, stderr });
    });
  });
}

/** The ids of live processes whose command line holds `text`. */
async function processesOf(text: string): Promise<string[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const lines = await Promise.all(
    pids.map((pid) => readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')),
  );
  return pids.filter((_, index) => lines[index]?.includes(text));
}

describe('npm run cluster', () => {
  let parent: string;
  let dir: string;
  beforeAll(async () => {
    parent = await realpath(await mkdtemp(join(tmpdir(), 'cluster-cli-test-')));
    dir = join(parent, 'cluster');
  });
  afterAll(async () => {
    await cli('down', '--dir', dir);
    await rm(parent, { recursive: true });
  });

  test('up leaves a working cluster behind, and up again the same one; down leaves nothing', async () => {
    const up = await cli('up', '--dir', dir);
    expect(up).toMatchObject({ code: 0 });
    const kubeconfig = up.stdout.trimEnd().split('\n').at(-1) ?? '';
    const pids = await processesOf(`${dir}/`);
    expect(pids).toHaveLength(3);

    const api = testApi(kubeconfig);
    bodyOf(
      await api.create({
        apiVersion: 'v1',
        kind: 'ConfigMap',
        metadata: { name: 'a', namespace: 'default' },
      }),
    );
    await api.close();

    expect(await cli('up', '--dir', dir)).toMatchObject({ code: 0, stdout: up.stdout });
    expect(await processesOf(`${dir}/`)).toEqual(pids);
    expect(await cli('kubeconfig', '--dir', dir)).toMatchObject({ code: 0, stdout: `${kubeconfig}\n` });

    expect(await cli('down', '--dir', dir)).toMatchObject({ code: 0 });
    expect(await processesOf(`${dir}/`)).toEqual([]);
    expect(existsSync(dir)).toBe(false);
  }, 120_000);

  test('down and kubeconfig say that there is no cluster', async () => {
    const absent = join(parent, 'absent');

    expect(await cli('down', '--dir', absent)).toMatchObject({
      code: 0,
      stderr: `no cluster in ${absent}\n`,
    });
    expect(await cli('kubeconfig', '--dir', absent)).toMatchObject({ code: 1, stdout: '' });
  });

  test('neither up nor down touches a folder that holds other things', async () => {
    await writeFile(join(parent, 'precious'), 'data');

    const up = await cli('up', '--dir', parent);
    expect(up).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('has files that are not of a cluster'),
    });
    await cli('down', '--dir', parent);

    expect(existsSync(join(parent, 'precious'))).toBe(true);
  });

  test('a wrong command line ends with 2', async () => {
    expect((await cli('sideways')).code).toBe(2);
    expect((await cli('up', '--nodes')).code).toBe(2);
  });
});
