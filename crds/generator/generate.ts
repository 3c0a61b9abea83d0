import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { crdFiles } from './files.ts';

const FOLDER = join(import.meta.dirname, '..');

const present = (): string[] => {
  mkdirSync(FOLDER, { recursive: true });
  return readdirSync(FOLDER).filter((name) => name.endsWith('.yaml'));
};

/** Files of crds/ that are missing, other than generated, or no longer generated. */
const staleFiles = (): string[] => {
  const there = present();
  const files = crdFiles();
  const changed = files.filter(
    ({ name, text }) => !there.includes(name) || readFileSync(join(FOLDER, name), 'utf8') !== text,
  );
  const left = there.filter((name) => !files.some((file) => file.name === name));
  return [...changed.map(({ name }) => name), ...left];
};

if (process.argv.includes('--check')) {
  const stale = staleFiles();
  for (const name of stale) process.stderr.write(`crds/${name} is out of date: npm run generate\n`);
  process.exitCode = stale.length > 0 ? 1 : 0;
} else {
  const stale = staleFiles();
  for (const name of present()) rmSync(join(FOLDER, name));
  for (const { name, text } of crdFiles()) writeFileSync(join(FOLDER, name), text);
  for (const name of stale) process.stdout.write(`wrote crds/${name}\n`);
}
