import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { CHART, chartFiles } from './chart-files.ts';

/** Writes the generated files of the chart; `--check` fails if one is out of date. */

const current = (path: string): string | undefined => {
  try {
    return readFileSync(join(CHART, path), 'utf8');
  } catch {
    return undefined;
  }
};

const files = chartFiles();
const left = readdirSync(join(CHART, 'files/crds'))
  .map((name) => join('files/crds', name))
  .filter((path) => !files.some((file) => file.path === path));
const stale = files.filter(({ path, text }) => current(path) !== text);

if (process.argv.includes('--check')) {
  for (const path of [...stale.map((file) => file.path), ...left]) {
    process.stderr.write(`charts/m2m-oauth-operator/${path} is out of date: npm run generate\n`);
    process.exitCode = 1;
  }
} else {
  for (const path of left) rmSync(join(CHART, path));
  for (const { path, text } of stale) {
    mkdirSync(dirname(join(CHART, path)), { recursive: true });
    writeFileSync(join(CHART, path), text);
    process.stdout.write(`wrote charts/m2m-oauth-operator/${path}\n`);
  }
}
