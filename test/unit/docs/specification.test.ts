import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { describe, expect, test } from '@jest/globals';

/** References resolve: `spec §n` to a heading of docs/specification.md, relative links of pages to a file and its heading. */

const ROOT = join(import.meta.dirname, '../../..');
const SPECIFICATION = 'docs/specification.md';
const FOLDERS = ['operator', 'test', 'proto', 'docs', 'charts', 'crds'];
const TEXT = /\.(?:ts|md|ya?ml|proto|json|tpl|sh)$/u;

/** Paths of the repository's text files, relative to its root. */
const files = [
  ...readdirSync(ROOT).filter((name) => name.endsWith('.md') || name === 'Makefile'),
  ...FOLDERS.flatMap((folder) =>
    readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
      .filter((file) => TEXT.test(file) && !file.includes('node_modules'))
      .map((file) => join(folder, file)),
  ),
];
const pages = files.filter((file) => file.endsWith('.md'));
const read = (file: string): string => readFileSync(join(ROOT, file), 'utf8');

interface Reference {
  /** `file:line`. */
  readonly place: string;
  readonly target: string;
}

const lineAt = (text: string, index: number): number => text.slice(0, index).split('\n').length;

/** `spec §2.2, §2.3`: one reference for each section; a comment may break the line before the sign. */
const sectionReferences = (file: string, text: string): Reference[] =>
  [
    ...text.matchAll(/\bspec(?:\s+(?:\*|\/\/|#)?\s*)?§\d+(?:\.\d+)*(?:(?:,| and)\s+§\d+(?:\.\d+)*)*/giu),
  ].flatMap((match) =>
    [...match[0].matchAll(/§(\d+(?:\.\d+)*)/gu)].map(([, section = '']) => ({
      place: `${file}:${lineAt(text, match.index)}`,
      target: section,
    })),
  );

const withoutCode = (markdown: string): string =>
  markdown.replaceAll(/^```[\s\S]*?^```$/gmu, (block) => block.replaceAll(/[^\n]/gu, ''));

const headingsOf = (markdown: string): string[] =>
  [...withoutCode(markdown).matchAll(/^#{1,6} (.+)$/gmu)].map(([, title = '']) => title);

/** GitHub's anchor of a heading: lower case, spaces as hyphens, without markup and punctuation. */
const anchorOf = (title: string): string =>
  title
    .replaceAll(/\[([^\]]*)\]\([^)]*\)/gu, '$1')
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
    .replaceAll(' ', '-');

/** The anchors of a page: the second of equal headings has the suffix `-1`. */
const anchorsOf = (markdown: string): ReadonlySet<string> => {
  const counts = new Map<string, number>();
  return new Set(
    headingsOf(markdown).map((title) => {
      const anchor = anchorOf(title);
      const count = counts.get(anchor) ?? 0;
      counts.set(anchor, count + 1);
      return count === 0 ? anchor : `${anchor}-${count}`;
    }),
  );
};

/** Links to files and headings of the repository; those to other sites are left out. */
const relativeLinks = (page: string, markdown: string): Reference[] =>
  [...withoutCode(markdown).matchAll(/\]\(([^)\s]+)\)/gu)]
    .map((match) => ({
      place: `${page}:${lineAt(markdown, match.index)}`,
      target: match[1] ?? '',
    }))
    .filter(({ target }) => !/^[a-z]+:/u.test(target));

const resolves = (page: string, link: string): boolean => {
  const [path = '', anchor] = link.split('#');
  const target = path === '' ? page : relative(ROOT, resolve(ROOT, dirname(page), path));
  if (!existsSync(join(ROOT, target))) return false;
  return anchor === undefined || anchorsOf(read(target)).has(anchor);
};

const show = ({ place, target }: Reference): string => `${place} → ${target}`;

const sections = new Set(
  headingsOf(read(SPECIFICATION)).flatMap((title) => /^(\d+(?:\.\d+)*)\.? /u.exec(title)?.[1] ?? []),
);
const references = files.flatMap((file) => sectionReferences(file, read(file)));

describe('what is found', () => {
  test('several references in one place, also over the lines of a comment', () => {
    const text = '/**\n * As in spec\n * §2.3. Spec §4, §5 and §6.1, RFC 6749 §9\n */';
    expect(sectionReferences('a.ts', text).map(show)).toEqual([
      'a.ts:2 → 2.3',
      'a.ts:3 → 4',
      'a.ts:3 → 5',
      'a.ts:3 → 6.1',
    ]);
  });

  test('anchors as GitHub makes them', () => {
    const page = '# A\n```sh\n# no heading\n```\n## 2.1 `Token`: more\n## A\n## [Who](x.md) may';
    expect([...anchorsOf(page)]).toEqual(['a', '21-token-more', 'a-1', 'who-may']);
  });

  test('links within the repository, with their lines', () => {
    const page = '[a](b.md#c)\n```md\n[no](link.md)\n```\n[site](https://example.com) [d](#e)';
    expect(relativeLinks('docs/x.md', page).map(show)).toEqual(['docs/x.md:1 → b.md#c', 'docs/x.md:5 → #e']);
  });
});

test('the specification has its sections in order, each once', () => {
  expect([...sections]).toEqual([
    '1',
    '2',
    '2.1',
    '2.2',
    '2.3',
    '2.4',
    '2.5',
    '2.6',
    '3',
    '4',
    '5',
    '6',
    '7',
    '8',
  ]);
});

test('every `spec §n` names a section of the specification', () => {
  const own = 'test/unit/docs/specification.test.ts';
  const others = references.filter(({ place }) => !place.startsWith(own));
  expect(others.length).toBeGreaterThan(100);
  expect(others.filter(({ target }) => !sections.has(target)).map(show)).toEqual([]);
});

test.each(pages)('every link of %s within the repository leads to a file and a heading', (page) => {
  const broken = relativeLinks(page, read(page)).filter(({ target }) => !resolves(page, target));
  expect(broken.map(show)).toEqual([]);
});
