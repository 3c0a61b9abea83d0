import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { parse } from 'yaml';
import { CHART, chartFiles } from '../../../charts/chart-files.ts';
import { readComments } from '../../../charts/values-comments.ts';
import { valuesSchema } from '../../../charts/values-schema.ts';

const text = readFileSync(join(CHART, 'values.yaml'), 'utf8');

test('the defaults fit the schema', () => {
  expect(valuesSchema.safeParse(parse(text)).error?.issues ?? []).toEqual([]);
});

/** Every leaf key of the schema, by path. */
const leavesOf = (shape: Record<string, unknown>, path = ''): string[] =>
  Object.entries(shape).flatMap(([key, inner]) => {
    const nested = (inner as { shape?: Record<string, unknown> }).shape;
    return nested ? leavesOf(nested, `${path}${key}.`) : [`${path}${key}`];
  });

test('every value that the schema knows is explained in values.yaml, itself or as a whole', () => {
  const explained = readComments(text).map(({ path }) => path);
  const missing = leavesOf(valuesSchema.shape)
    .filter((path) => path !== 'global')
    .filter((path) => !explained.some((known) => path === known || path.startsWith(`${known}.`)));
  expect(missing).toEqual([]);
});

test('every explanation is of a value that the schema knows', () => {
  expect(() => chartFiles()).not.toThrow();
});

test('a comment without a key below it is a mistake', () => {
  expect(() => readComments('# -- One.\n# -- Two.\nkey: 1\n')).toThrow('no key below "One."');
});

test.each([
  ['a: 1', []],
  ['# -- Said.\na: 1', [{ path: 'a', fallback: '1', description: 'Said.' }]],
  ['a:\n  # -- Said.\n  b: {}\nc: 2', [{ path: 'a.b', fallback: '{}', description: 'Said.' }]],
  ['a:\n  b:\n    x: 1\n# -- Said.\nc:\n  - 2', [{ path: 'c', fallback: '', description: 'Said.' }]],
])('comments of %j', (yaml, found) => {
  expect(readComments(yaml)).toEqual(found);
});
