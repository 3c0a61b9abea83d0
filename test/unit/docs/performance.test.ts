import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';

/** docs/performance.md shows rows of docs/performance/figures.md: both are written by `npm run bench:docs` from one run. */

const DOCS = join(import.meta.dirname, '../../../docs');
const summary = readFileSync(join(DOCS, 'performance.md'), 'utf8');
const all = readFileSync(join(DOCS, 'performance/figures.md'), 'utf8');
const [, generated = ''] =
  /<!-- begin: npm run bench:docs -->\n([\s\S]*?)<!-- end: npm run bench:docs -->/u.exec(summary) ?? [];

const rowsOf = (page: string): string[] => page.match(/^\| .*$/gmu) ?? [];
const withResult = (result: string): number =>
  rowsOf(all).filter((row) => row.endsWith(`| ${result} |`)).length;

test('every row of the summary is a row of all figures', () => {
  const rows = rowsOf(generated);
  expect(rows.length).toBeGreaterThan(10);
  expect(rows.filter((row) => !rowsOf(all).includes(row))).toEqual([]);
});

test('the summary counts the figures that reach their targets', () => {
  const [reached, missed] = [withResult('PASS'), withResult('SHORT')];
  expect(generated).toContain(`${reached} of ${reached + missed} figures reach their targets`);
});

test('both pages name the same run', () => {
  const [run = ''] = /Measured on .*? same machine\./u.exec(generated) ?? [];
  expect(run).not.toBe('');
  expect(all).toContain(run);
});
