import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { locateBinary } from '../../cluster/binaries.ts';
import { applyFiles } from '../../support/apply.ts';
import { type Installation, install, token, waitForReason } from '../../support/installation.ts';

/** The README's tour, command by command, with the real kubectl. */

const ROOT = join(import.meta.dirname, '../../..');

/** The shell block that follows a mark in the README, as single commands. */
const commandsAfter = (mark: string): { name: string; command: string }[] => {
  const readme = readFileSync(join(ROOT, 'README.md'), 'utf8');
  const block =
    new RegExp(`<!-- ${mark}:[^\\n]*-->\\n\`\`\`sh\\n([\\s\\S]*?)\`\`\``, 'u').exec(readme)?.[1] ?? '';
  return block
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((command) => ({ name: command.slice(0, 80), command }));
};

const commands = commandsAfter('tour');
const installing = commandsAfter('install');
let installation: Installation;
let bin: string;

beforeAll(async () => {
  const kubectl = await locateBinary('kubectl');
  bin = mkdtempSync(join(tmpdir(), 'm2m-kubectl-'));
  symlinkSync(kubectl, join(bin, 'kubectl'));
  installation = await install();
  await installation.operator();
  await applyFiles(installation.api, [join(ROOT, 'crds/samples/quickstart.yaml')]);
}, 900_000);

afterAll(async () => {
  await installation?.close();
  if (bin) rmSync(bin, { recursive: true });
});

const run = async (command: string): Promise<string> => {
  const { stdout } = await promisify(execFile)('bash', ['-euo', 'pipefail', '-c', command], {
    cwd: ROOT,
    env: {
      ...process.env,
      PATH: `${bin}${delimiter}${process.env.PATH}`,
      KUBECONFIG: installation.cluster.kubeconfigPath,
    },
    timeout: 60_000,
  });
  return stdout;
};

test('the README says how to install, and has a tour', () => {
  expect(installing.length).toBeGreaterThan(1);
  expect(commands.length).toBeGreaterThan(6);
});

test.each(installing)(
  '$name',
  async ({ command }) => {
    expect(await run(command)).toContain('serverside-applied');
  },
  90_000,
);

test.each(commands)(
  '$name',
  async ({ command }) => {
    const output = await run(command);
    if (!command.includes('kubectl explain')) return;
    expect(output).toContain('clientRef');
  },
  90_000,
);

test('after the tour the Token is blacklisted', async () => {
  const after = await waitForReason(installation.api, token('reports', 'default'), 'Blacklisted');
  expect(after.status.blacklisted.flag).toBe(true);
});
