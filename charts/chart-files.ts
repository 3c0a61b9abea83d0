import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { z } from 'zod';
import { crdFiles } from '../crds/generator/files.ts';
import { readComments } from './values-comments.ts';
import { valuesSchema } from './values-schema.ts';

export const CHART = join(import.meta.dirname, 'm2m-oauth-operator');
const ROOT = join(import.meta.dirname, '..');

/** A generated file of the chart. */
export interface ChartFile {
  /** Below the chart's folder. */
  readonly path: string;
  readonly text: string;
}

interface JsonSchema {
  description?: string;
  properties?: Record<string, JsonSchema>;
}

const valuesText = (): string => readFileSync(join(CHART, 'values.yaml'), 'utf8');

/** The JSON Schema by which helm validates values; every description is the comment in values.yaml. */
const schemaText = (): string => {
  const schema = z.toJSONSchema(valuesSchema, { target: 'draft-7', io: 'input' }) as JsonSchema;
  for (const { path, description } of readComments(valuesText())) {
    const place = path
      .split('.')
      .reduce<JsonSchema | undefined>((inner, key) => inner?.properties?.[key], schema);
    if (!place) throw new Error(`values.yaml documents ${path}, which charts/values-schema.ts has not got`);
    place.description = description;
  }
  return `${JSON.stringify(schema, undefined, 2)}\n`;
};

/** A default for a cell of a table: one line, with `|` escaped. */
const shown = (value: unknown): string => `\`${JSON.stringify(value).replaceAll('|', '\\|')}\``;

const at = (values: unknown, path: string): unknown =>
  path.split('.').reduce<unknown>((inner, key) => (inner as Record<string, unknown>)?.[key], values);

const valuesTable = (): string => {
  const values: unknown = parse(valuesText());
  const rows = readComments(valuesText()).map(
    ({ path, description }) =>
      `| \`${path}\` | ${shown(at(values, path))} | ${description.replaceAll('|', '\\|')} |`,
  );
  return ['| value | default | meaning |', '| --- | --- | --- |', ...rows].join('\n');
};

const BEGIN = '<!-- values: written by `npm run generate` -->';
const END = '<!-- end of values -->';

const readmeText = (): string => {
  const text = readFileSync(join(CHART, 'README.md'), 'utf8');
  const [before, rest = ''] = text.split(BEGIN);
  const after = rest.split(END)[1];
  if (after === undefined) throw new Error('charts/m2m-oauth-operator/README.md has no place for the values');
  return `${before}${BEGIN}\n${valuesTable()}\n${END}${after}`;
};

/** The generated files of the chart; copies, since a packaged chart can't read outside of its folder. */
export const chartFiles = (): readonly ChartFile[] => [
  ...crdFiles().map(({ name, text }) => ({ path: join('files/crds', name), text })),
  { path: 'files/roles.yaml', text: readFileSync(join(ROOT, 'operator/deploy/roles.yaml'), 'utf8') },
  { path: 'values.schema.json', text: schemaText() },
  { path: 'README.md', text: readmeText() },
];
