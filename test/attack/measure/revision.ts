import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse } from 'yaml';
import { ROOT } from '../../bench/lib/bench-env.ts';
import { note } from '../../bench/lib/scale.ts';
import { outputOf } from '../../support/command.ts';
import { LOOPBACK_CONFIG } from '../../support/operator-process.ts';

/** A checkout that is built, to be attacked. */
export interface Checkout {
  /** What the table calls it. */
  readonly name: string;
  readonly root: string;
  remove(): Promise<void>;
}

type ConfiguredListener = keyof typeof LOOPBACK_CONFIG;

const LOCK = 'package-lock.json';

/** Whether the packages of this checkout are those that another one's lockfile pins. */
const hasSamePackages = async (root: string): Promise<boolean> =>
  (await readFile(join(root, LOCK), 'utf8')) === (await readFile(join(ROOT, LOCK), 'utf8'));

const build = async (root: string): Promise<void> =>
  void (await outputOf('npm', ['run', '--silent', 'build'], { cwd: root }));

/** The working tree, built. */
export const buildThis = async (): Promise<Checkout> => {
  note('building');
  await build(ROOT);
  return { name: 'now', root: ROOT, remove: async () => undefined };
};

/** A revision in a temporary worktree, built with the packages of this checkout, or with its own where its lockfile differs. */
export const buildRevision = async (revision: string): Promise<Checkout> => {
  const folder = await mkdtemp(join(tmpdir(), 'm2m-attack-base-'));
  const root = join(folder, 'checkout');
  const git = (...args: string[]): Promise<string> => outputOf('git', args, { cwd: ROOT });
  const remove = async (): Promise<void> => {
    if (existsSync(root)) await git('worktree', 'remove', '--force', root);
    await rm(folder, { recursive: true });
  };
  try {
    note(`building ${revision}`);
    await git('worktree', 'add', '--detach', root, revision);
    if (await hasSamePackages(root)) await symlink(join(ROOT, 'node_modules'), join(root, 'node_modules'));
    else
      await outputOf('npm', ['install', '--no-save', '--no-audit', '--no-fund', '--ignore-scripts'], {
        cwd: root,
      });
    await build(root);
  } catch (error) {
    await remove();
    throw error;
  }
  return { name: revision, root, remove };
};

/** The listeners that a revision has no port for: its documented example of the configuration has every key. */
export const missingListeners = async (root: string): Promise<readonly ConfiguredListener[]> => {
  const page = await readFile(join(root, 'docs/configuration.md'), 'utf8');
  const [, example = ''] = /```yaml\n([\s\S]*?)```/u.exec(page) ?? [];
  const known = new Set(Object.keys(parse(example) as object));
  return (Object.keys(LOOPBACK_CONFIG) as ConfiguredListener[]).filter((listener) => !known.has(listener));
};
