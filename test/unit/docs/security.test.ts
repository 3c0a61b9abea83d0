import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { parse } from 'yaml';

const ROOT = join(import.meta.dirname, '../../..');
const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8');

/** The rows of the tables of a page's section, without their headings. */
const rowsOf = (page: string, heading: string): string[][] => {
  const [, section = ''] = page.split(`\n## ${heading}\n`);
  return (section.split(/^## /mu, 1)[0] ?? '')
    .split('\n')
    .filter((line) => line.startsWith('| ') && !line.startsWith('| ---'))
    .map((line) =>
      line
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim()),
    );
};

const page = read('docs/security.md');

describe('docs/security.md', () => {
  test('has a control and a test for each threat', () => {
    const threats = rowsOf(page, 'Threats and controls').filter(([letter]) => letter !== '');
    expect(threats.length).toBeGreaterThan(30);
    for (const [letter, attack, control, , test] of threats) {
      expect(letter).toMatch(/^[STRIDE]$/u);
      expect([attack, control, test]).not.toContain('');
    }
  });

  test('names tests that there are', () => {
    const paths = [...page.matchAll(/`(test\/[^`]+)`/gu)].map(([, path = '']) => path);
    expect(paths.length).toBeGreaterThan(20);
    expect(paths.filter((path) => !existsSync(join(ROOT, path)))).toEqual([]);
  });

  test('covers each category of STRIDE', () => {
    const letters = new Set(rowsOf(page, 'Threats and controls').map(([letter]) => letter));
    expect([...'STRIDE'].filter((letter) => !letters.has(letter))).toEqual([]);
  });

  test('hardens by values that the chart has', () => {
    const values: unknown = parse(read('charts/m2m-oauth-operator/values.yaml'));
    const named = rowsOf(page, 'Hardening').flatMap(([cell = '']) => [...cell.matchAll(/`([^`]+)`/gu)]);
    expect(named.length).toBeGreaterThan(8);
    const missing = named
      .map(([, path = '']) => path)
      .filter((path) => {
        const found = path
          .split('.')
          .reduce<unknown>((at, key) => (at as Record<string, unknown>)?.[key], values);
        return found === undefined;
      });
    expect(missing).toEqual([]);
  });
});
