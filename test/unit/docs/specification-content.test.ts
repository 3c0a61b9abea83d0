import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { parse } from 'yaml';
import { customResourceDefinitions } from '../../../crds/generator/definitions.ts';
import {
  CLIENT_REASONS,
  CREDENTIALS_REASONS,
  LIMIT_REASONS,
  OVERWRITTEN_REASONS,
  SIGNING_KEY_REASONS,
  TOKEN_REASONS,
  WEAK_CREDENTIALS_REASONS,
} from '../../../operator/api/conditions.ts';
import { RESERVED_CLAIMS } from '../../../operator/api/reserved-claims.ts';
import { ALGORITHMS, KEY_PHASES } from '../../../operator/api/signing-key.ts';
import { configSchema } from '../../../operator/config/schema.ts';
import { defaultConfig, pathsOf } from '../../support/setting-paths.ts';

/** docs/specification.md names what the CRDs and the configuration have: fields, columns, reasons, defaults. */

const text = readFileSync(join(import.meta.dirname, '../../../docs/specification.md'), 'utf8');
const section = (number: string): string =>
  text.split(/\n#{2,3} (?=\d)/u).find((part) => new RegExp(`^${number}\\.? `, 'u').test(part)) ?? '';

interface Properties {
  readonly properties?: Readonly<Record<string, Properties>>;
}
interface Version {
  readonly schema: { readonly openAPIV3Schema: Properties };
  readonly additionalPrinterColumns: readonly { readonly name: string; readonly priority?: number }[];
}

const versionOf = (kind: string): Version => {
  const versions = customResourceDefinitions()
    .filter(({ spec }) => (spec.names as { kind: string }).kind === kind)
    .flatMap(({ spec }) => spec.versions as Version[]);
  const [version] = versions;
  if (version === undefined) throw new Error(`there is no kind ${kind}`);
  return version;
};

const KINDS = [
  ['Token', '2.1'],
  ['IssuedToken', '2.2'],
  ['TokenBatch', '2.3'],
  ['OAuthClient', '2.4'],
  ['SigningKey', '2.5'],
] as const;

describe.each(KINDS)('%s in section %s', (kind, number) => {
  const { schema, additionalPrinterColumns } = versionOf(kind);
  const { spec, status } = schema.openAPIV3Schema.properties ?? {};
  const words = new Set(section(number).match(/\w+/gu));

  test('every field of spec and status is named', () => {
    const fields = [spec, status].flatMap((half) => Object.keys(half?.properties ?? {}));
    expect(fields.length).toBeGreaterThan(4);
    expect(fields.filter((field) => !words.has(field))).toEqual([]);
  });

  test('the columns are the CRD’s, in their order', () => {
    const names = (isWide: boolean): string =>
      additionalPrinterColumns
        .filter(({ priority = 0 }) => priority > 0 === isWide)
        .map(({ name }) => name)
        .join(', ');
    const wide = names(true);
    const more = wide === '' ? '' : `; with \`-o wide\` also ${wide}`;
    expect(section(number)).toContain(`\nColumns: ${names(false)}${more}.\n`);
  });
});

test.each([
  ['2.1', [...TOKEN_REASONS, ...OVERWRITTEN_REASONS]],
  ['2.4', [...CLIENT_REASONS, ...CREDENTIALS_REASONS, ...WEAK_CREDENTIALS_REASONS, ...LIMIT_REASONS]],
  ['2.4', RESERVED_CLAIMS.filter((claim) => !claim.includes('/'))],
  ['2.5', SIGNING_KEY_REASONS],
  ['2.5', [...ALGORITHMS, ...KEY_PHASES]],
])('section %s names %j', (number, words) => {
  expect(words.filter((word) => !new RegExp(`\\b${word}\\b`, 'u').test(section(number)))).toEqual([]);
});

test('the configuration in section 6 has every setting, with its default', () => {
  const [, yaml = ''] = /```yaml\n([\s\S]*?)```/u.exec(section('6')) ?? [];
  const config = parse(yaml);
  config.http.tls = config.grpc.tls;
  const defaults = defaultConfig();
  expect(new Set(pathsOf(config))).toEqual(new Set(pathsOf(defaults)));
  const tls = { plaintext: true };
  config.grpc.tls = { ...config.grpc.tls, ...tls };
  config.http.tls = config.grpc.tls;
  expect(configSchema(undefined).parse(config)).toEqual(defaults);
});
