import { execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { minifySync } from '@swc/core';

/**
 * `node test/integration/chart/previous/pack.ts COMMIT`: packs the release that upgrades start from, out of the history:
 * the chart of a commit, and the operator of that commit, compiled and minified. README.md beside this says which one.
 */

const ROOT = join(import.meta.dirname, '../../../..');
const SOURCES = [
  'charts/m2m-oauth-operator',
  'operator',
  'package.json',
  'tsconfig.json',
  'tsconfig.build.json',
];

const [commit] = process.argv.slice(2);
if (!commit) throw new Error('which commit?');

const work = mkdtempSync(join(tmpdir(), 'm2m-pack-'));
const run = (program: string, args: readonly string[], input?: Buffer): Buffer =>
  execFileSync(program, args, { cwd: work, input, maxBuffer: 1 << 28, stdio: ['pipe', 'pipe', 'inherit'] });

const archive = execFileSync('git', ['archive', commit, ...SOURCES], { cwd: ROOT, maxBuffer: 1 << 28 });
run('tar', ['-x'], archive);
symlinkSync(join(ROOT, 'node_modules'), join(work, 'node_modules'));
run(join(ROOT, 'node_modules/.bin/tsc'), ['-p', 'tsconfig.build.json']);
for (const name of readdirSync(join(work, 'dist'), { recursive: true, encoding: 'utf8' })) {
  const file = join(work, 'dist', name);
  if (name.endsWith('.map')) rmSync(file);
  if (!name.endsWith('.js')) continue;
  writeFileSync(file, minifySync(readFileSync(file, 'utf8'), { module: true, compress: true }).code);
}
cpSync(join(work, 'charts/m2m-oauth-operator'), join(work, 'chart'), { recursive: true });
const plain = [
  '--sort=name',
  '--mtime=@0',
  '--owner=0',
  '--group=0',
  '--numeric-owner',
  '--mode=u=rwX,go=rX',
];
const packed = run('tar', ['-c', ...plain, 'chart', 'dist', 'package.json']);
writeFileSync(join(import.meta.dirname, `release-${commit}.tgz`), run('gzip', ['-9n'], packed));
rmSync(work, { recursive: true });
