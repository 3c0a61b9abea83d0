import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { stringify } from 'yaml';
import { outputOf, run } from '../support/command.ts';
import { helmIsBuilt, readChart } from './chart.ts';
import { withoutTexts } from './plain.ts';
import { readSurface, type Surface } from './surface.ts';

/**
 * `npm run surface -- [--base REVISION]`: compares what users see of the working tree and of an older
 * revision (by default the last tag), without human-readable text. Prints the difference as a unified diff; exits with 1 if
 * there is one.
 */

const ROOT = join(import.meta.dirname, '../..');

const git = async (...args: string[]): Promise<string> => (await outputOf('git', args, { cwd: ROOT })).trim();

const lastTag = (): Promise<string> =>
  git('describe', '--tags', '--abbrev=0').catch(() => {
    throw new Error('There is no tag to compare to: add -- --base REVISION');
  });

/** Extracts the files of a revision, and links the packages of the working tree. */
const checkOut = async (revision: string, folder: string): Promise<void> => {
  const archive = `${folder}.tar`;
  await mkdir(folder);
  await git('archive', '--output', archive, revision);
  await outputOf('tar', ['-xf', archive, '-C', folder]);
  await symlink(join(ROOT, 'node_modules'), join(folder, 'node_modules'), 'junction');
};

const write = async (surface: Surface, folder: string): Promise<void> => {
  for (const [name, document] of surface) {
    const file = join(folder, `${name}.yaml`);
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, stringify(withoutTexts(document), { lineWidth: 0, aliasDuplicateObjects: false }));
  }
};

/** @returns whether both are the same */
const compare = async (revision: string, folder: string): Promise<boolean> => {
  const base = join(folder, 'checkout');
  await checkOut(revision, base);
  const withHelm = await helmIsBuilt();
  for (const [root, side] of [
    [base, 'base'],
    [ROOT, 'here'],
  ] as const) {
    await write(await readSurface(root), join(folder, side));
    if (withHelm) await write(await readChart(root), join(folder, side));
  }
  const arguments_ = [
    'diff',
    '--no-index',
    '--no-ext-diff',
    '--no-color',
    '--no-renames',
    '--',
    'base',
    'here',
  ];
  const { exitCode, stdout, stderr } = await run('git', arguments_, { cwd: folder });
  process.stdout.write(stdout);
  if (exitCode !== 0 && exitCode !== 1) throw new Error(stderr);
  if (!withHelm) console.error('The rendered chart was NOT compared: helm is not built (npm run programs).');
  return exitCode === 0;
};

const { values } = parseArgs({ options: { base: { type: 'string' } } });
const revision = values.base ?? (await lastTag());
const folder = await mkdtemp(join(tmpdir(), 'm2m-surface-'));
try {
  const same = await compare(revision, folder);
  console.error(`What users see ${same ? 'is the same' : 'differs'}, compared to ${revision}.`);
  process.exitCode = same ? 0 : 1;
} finally {
  await rm(folder, { recursive: true });
}
