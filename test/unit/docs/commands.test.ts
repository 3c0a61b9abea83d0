import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { shellBlocks } from '../../clients/page.ts';

/** Every command on these pages is run by a test. */

const ROOT = join(import.meta.dirname, '../../..');
const CHART_PAGE = 'charts/m2m-oauth-operator/README.md';

/** The marks of a page, and who runs the blocks below them. */
const RUNNERS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  'docs/install.md': {
    install: 'test/e2e/walk-pages.ts',
    manifests: 'test/integration/docs/install-page.test.ts',
    takeover: 'test/integration/docs/install-page.test.ts',
    remove: 'test/integration/docs/install-page.test.ts',
  },
  'docs/migrate.md': {
    migrate: 'test/integration/docs/migrate-page.test.ts',
    image: 'test/e2e/walk-pages.ts',
  },
  'docs/operations.md': {
    backup: 'test/integration/docs/restore-page.test.ts',
    restore: 'test/integration/docs/restore-page.test.ts',
    status: 'test/integration/docs/restore-page.test.ts',
  },
  [CHART_PAGE]: { chart: 'test/e2e/walk-pages.ts' },
};

const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8');

test.each(Object.entries(RUNNERS))('every block of %s is run, by whom its mark names', (path, runners) => {
  const page = read(path);
  const marked = Object.keys(runners).flatMap((mark) => shellBlocks(page, mark));
  expect(marked).toHaveLength(page.match(/^```(?:sh|bash|shell|console)\b/gmu)?.length ?? 0);
  for (const [mark, runner] of Object.entries(runners)) {
    expect(shellBlocks(page, mark)).not.toEqual([]);
    expect(read(runner)).toContain(`'${mark}'`);
    expect(read(runner)).toContain(path);
  }
});

test("the README's short way to install is the longer pages' own", () => {
  const [, block = ''] = /^## Install in a cluster\n\n```sh\n([\s\S]*?)```/mu.exec(read('README.md')) ?? [];
  const commands = block.trimEnd().split('\n');
  const known = read('docs/install.md') + read(CHART_PAGE);
  expect(commands.length).toBeGreaterThan(1);
  for (const command of commands) expect(known).toContain(`${command}\n`);
});

test('the image that they name has the version of the package', () => {
  const { version } = JSON.parse(read('package.json'));
  const followers = ['test/e2e/support/ground.ts', 'test/e2e/manifests/apps.yaml'];
  const texts = [...Object.keys(RUNNERS), ...followers].map(read).join('\n');
  const versions = [...texts.matchAll(/m2m-oauth-operator:(\d[\w.-]*)/gu)].map((match) => match[1]);
  expect(versions.length).toBeGreaterThan(5);
  expect(new Set(versions)).toEqual(new Set([version]));
});
