import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { expect, test } from '@jest/globals';
import { isProcess } from '../../cluster/processes.ts';
import { eventually } from '../../support/eventually.ts';

const cluster = join(import.meta.dirname, '..', '..', 'cluster', 'cluster.ts');

test('a cluster does not outlive the process that started it, even a killed one', async () => {
  const script = `
    import { startCluster } from ${JSON.stringify(cluster)};
    const { dir, pids } = await startCluster();
    console.log(JSON.stringify({ dir, pids: Object.values(await pids()) }));
    setInterval(() => {}, 60_000);`;
  const owner = spawn(process.execPath, ['--input-type=module', '--eval', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [line] = await once(createInterface(owner.stdout), 'line');
  const { dir, pids }: { dir: string; pids: number[] } = JSON.parse(line);
  expect(pids).toHaveLength(3);

  owner.kill('SIGKILL');

  await eventually(async () => {
    for (const pid of pids) expect(await isProcess(pid, `${dir}/`)).toBe(false);
    expect(existsSync(dir)).toBe(false);
  });
}, 120_000);
