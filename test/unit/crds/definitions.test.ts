import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { customResourceDefinitions } from '../../../crds/generator/definitions.ts';
import { crdFiles } from '../../../crds/generator/files.ts';

const CRDS = join(import.meta.dirname, '../../../crds');

test('crds/ holds what the schemas say, and nothing else at its top: npm run generate', () => {
  const generated = crdFiles();
  const there = readdirSync(CRDS, { withFileTypes: true });
  expect(
    there
      .filter((entry) => entry.isFile())
      .map(({ name }) => name)
      .sort(),
  ).toEqual(generated.map(({ name }) => name).sort());
  for (const { name, text } of generated) expect(readFileSync(join(CRDS, name), 'utf8')).toBe(text);
});

test('the same schemas give the same files', () => {
  expect(crdFiles()).toEqual(crdFiles());
});

interface Schema {
  readonly type?: string;
  readonly format?: string;
  readonly enum?: readonly unknown[];
  readonly description?: string;
  readonly default?: unknown;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly items?: Schema;
  readonly additionalProperties?: Schema;
  readonly maxItems?: number;
  readonly maxLength?: number;
  readonly maxProperties?: number;
  readonly maximum?: number;
  readonly minimum?: number;
  readonly 'x-kubernetes-list-type'?: string;
  readonly 'x-kubernetes-preserve-unknown-fields'?: boolean;
  readonly 'x-kubernetes-int-or-string'?: boolean;
  readonly 'x-kubernetes-validations'?: readonly { readonly rule: string; readonly message: string }[];
}

type Place = readonly [path: string, schema: Schema];

const walk = (path: string, schema: Schema): Place[] => [
  [path, schema],
  ...Object.entries(schema.properties ?? {}).flatMap(([name, property]) => walk(`${path}.${name}`, property)),
  ...(schema.items ? walk(`${path}[]`, schema.items) : []),
  ...(schema.additionalProperties ? walk(`${path}{}`, schema.additionalProperties) : []),
];

const places = customResourceDefinitions().flatMap((definition) => {
  const [version] = definition.spec.versions as { schema: { openAPIV3Schema: Schema } }[];
  return walk(definition.metadata.name.split('.')[0] ?? '', version?.schema.openAPIV3Schema ?? {});
});
/** What the API server itself says of every object. */
const isOurs = ([path]: Place): boolean => !/^\w+\.(?:apiVersion|kind|metadata)$/u.test(path);
const ours = places.filter(isOurs);
const pathsWhere = (predicate: (schema: Schema) => boolean): string[] =>
  ours.filter(([, schema]) => predicate(schema)).map(([path]) => path);
const reserved = /\.insertTokenClaims\./u;

describe('in every schema', () => {
  test('there are definitions to check', () => {
    expect(ours.length).toBeGreaterThan(150);
  });

  test('every field says what it means', () => {
    expect(pathsWhere(({ description }) => !description)).toEqual([]);
    expect(pathsWhere(({ description }) => description !== undefined && !/[.)]$/u.test(description))).toEqual(
      [],
    );
  });

  test('every text is bounded', () => {
    expect(
      pathsWhere((schema) => schema.type === 'string' && schema.maxLength === undefined && !schema.enum),
    ).toEqual([]);
  });

  test('every list is bounded, and says how it merges', () => {
    expect(
      pathsWhere(
        (schema) =>
          schema.type === 'array' && (schema.maxItems === undefined || !schema['x-kubernetes-list-type']),
      ),
    ).toEqual([]);
  });

  test('every map is bounded', () => {
    const isMap = (schema: Schema) =>
      schema.additionalProperties !== undefined || schema['x-kubernetes-preserve-unknown-fields'];
    expect(
      pathsWhere((schema) => Boolean(isMap(schema)) && schema.maxProperties === undefined).filter(
        (path) => !reserved.test(path) && !path.includes('.oth'),
      ),
    ).toEqual([]);
  });

  test('every number is bounded and has a format', () => {
    expect(
      pathsWhere(
        (schema) =>
          schema.type === 'integer' &&
          (schema.minimum === undefined || schema.maximum === undefined || !schema.format),
      ),
    ).toEqual([]);
  });

  test('every field has a type', () => {
    expect(pathsWhere((schema) => !schema.type && !schema['x-kubernetes-int-or-string'])).toEqual([]);
  });

  test('defaults are constants of specs alone', () => {
    const withDefault = pathsWhere((schema) => schema.default !== undefined);
    expect(withDefault.length).toBeGreaterThan(5);
    expect(withDefault.filter((path) => !path.includes('.spec.'))).toEqual([]);
  });

  test('every rule names its field from the top, and fits what the API server takes', () => {
    const messages = ours
      .flatMap(([, schema]) => schema['x-kubernetes-validations'] ?? [])
      .map(({ message }) => message);
    expect(messages.length).toBeGreaterThan(40);
    expect(
      messages.filter(
        (message) =>
          !/^(?:spec|status|metadata)\./u.test(message) || message.includes('\n') || message.length > 2048,
      ),
    ).toEqual([]);
  });
});
