import { mkdtemp, readdir, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { outputOf } from '../../support/command.ts';

const FOLDER = join(import.meta.dirname, 'previous');
const ROOT = join(import.meta.dirname, '../../..');

/** The release that upgrades start from, unpacked: previous/README.md says where it comes from. */
export interface PreviousRelease {
  readonly commit: string;
  /** The chart's folder. */
  readonly chart: string;
  /** The operator's program. */
  readonly main: string;
  remove(): Promise<void>;
}

/** @throws Error where there is not exactly one of them */
export const unpackPreviousRelease = async (): Promise<PreviousRelease> => {
  const [archive = '', ...others] = (await readdir(FOLDER)).filter((name) => name.endsWith('.tgz'));
  const [, commit] = /^release-(\w+)\.tgz$/u.exec(archive) ?? [];
  if (commit === undefined || others.length > 0) throw new Error(`there is no one release in ${FOLDER}`);
  const dir = await mkdtemp(join(tmpdir(), 'm2m-previous-'));
  await outputOf('tar', ['-xzf', join(FOLDER, archive), '-C', dir]);
  await symlink(join(ROOT, 'node_modules'), join(dir, 'node_modules'));
  return {
    commit,
    chart: join(dir, 'chart'),
    main: join(dir, 'dist/main.js'),
    remove: () => rm(dir, { recursive: true, force: true }),
  };
};
