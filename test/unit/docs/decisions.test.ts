import { existsSync, globSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { expect, test } from '@jest/globals';

const ROOT = join(import.meta.dirname, '../../..');
const DECISIONS = globSync('docs/decisions/[0-9]*.md', { cwd: ROOT });
const PAGES = globSync(['*.md', 'docs/**/*.md'], { cwd: ROOT });

const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8');

test.each(PAGES)('files and folders that %s names exist', (page) => {
  const named = [...read(page).matchAll(/`((?:charts|crds|docs|operator|proto|test)\/[^`\s]*)`/gu)];
  expect(named.map(([, path = '']) => path).filter((path) => !existsSync(join(ROOT, path)))).toEqual([]);
});

test('the list of decisions has each by its title', () => {
  const listed = DECISIONS.sort().map((path) => {
    const [, number, title] = /^# (\d{4}): (.*)$/mu.exec(read(path)) ?? [];
    return `| [${number}](${basename(path)}) | ${title} |`.toLowerCase();
  });
  const rows = read('docs/decisions/README.md').toLowerCase().split('\n');
  expect(rows.filter((row) => row.startsWith('| ['))).toEqual(listed);
});
