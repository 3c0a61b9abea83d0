import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';

/**
 * Words that this project once used in a private meaning, where Kubernetes, OAuth or plain English have a term
 * (docs/glossary.md). None of them comes back into the code, its comments, the chart or the documentation. The list grows
 * whenever another one is replaced everywhere.
 */
const WORDS: readonly (readonly [pattern: string, instead: string])[] = [
  ['judg(?:e|es|ed|ing|ement|ements)', 'validate, decide; result'],
  ['verdicts?', 'result, decision'],
  ['nudg(?:e|es|ed|ing)', 'request progress'],
  ['doors?', 'endpoint, listener, server'],
  ['foreign', 'external, other, disallowed'],
  ['goodness', 'validity'],
  ['told', 'notified, reports, says'],
  ['tells? of', 'covers, reports'],
  ['somebody', 'a user, another writer'],
  ['of its own(?! go\\.mod)', 'own, separate'],
  ['mend(?:s|ed|ing)?', 'fix, repair'],
  ['hand(?:s|ed|ing)? out', 'issue'],
  ['(?:in|out of) step', 'synced, stale'],
  ['obstacles?', 'blocker'],
  ['ration(?:s|ed|ing)?', 'rate limit'],
  ['stands? by|stand-?by', 'is published'],
  ['everybody', 'all'],
  [String.raw`\w*(?:behaviour|neighbour|honour|favour|misspelt)\w*`, 'American spelling'],
];

const ROOT = join(import.meta.dirname, '../../..');
const FOLDERS = ['operator', 'docs', 'charts', 'crds', 'proto', '.github'];
const TEXT = /\.(?:ts|mjs|md|ya?ml|json|tpl|txt|proto)$/u;

/** A line, with its place as `file:line`. */
interface Line {
  readonly place: string;
  readonly text: string;
}

const files = [
  ...readdirSync(ROOT).filter((name) => name.endsWith('.md') || name === 'Makefile'),
  ...FOLDERS.flatMap((folder) =>
    readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
      .filter((file) => TEXT.test(file))
      .map((file) => join(folder, file)),
  ),
];

/** `camelCase` and `snake_case` in words, so that identifiers are found too. */
const inWords = (text: string): string =>
  text.replaceAll(/(?<=[a-z0-9])(?=[A-Z])/gu, ' ').replaceAll('_', ' ');

/** Names that users have in their values, rules and dashboards, and that therefore stay. */
const NAMES =
  /doorsFrom|m2moauth_jwt_judgements_total|m2moauth_tokens_handed_out_total|x-kubernetes-[-\w]+/gu;

const linesOf = (file: string): Line[] =>
  readFileSync(join(ROOT, file), 'utf8')
    .split('\n')
    .map((text, at) => ({ place: `${file}:${at + 1}`, text: inWords(text.replaceAll(NAMES, '')) }));

const found = (lines: readonly Line[], word: string): string[] => {
  const pattern = new RegExp(`\\b(?:${word})\\b`, 'iu');
  return lines.filter(({ text }) => pattern.test(text)).map(({ place, text }) => `${place} ${text.trim()}`);
};

const lines = files.flatMap(linesOf);

describe('what is found', () => {
  const line = (text: string): Line => ({ place: 'a.ts:1', text: inWords(text) });

  test.each(['The door is open', 'const doorOf = 1;', 'DOORS', 'grpc_door'])('%s', (text) => {
    expect(found([line(text)], 'doors?')).toHaveLength(1);
  });

  test.each(['outdoor', 'indoors'])('not %s', (text) => {
    expect(found([line(text)], 'doors?')).toEqual([]);
  });
});

test('there are files to look at', () => {
  expect(lines.length).toBeGreaterThan(10_000);
});

test.each(WORDS)('no "%s": %s', (word) => {
  expect(found(lines, word)).toEqual([]);
});
