import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { parse, parseAllDocuments } from 'yaml';
import { defaultConfig, pathsOf } from '../../support/setting-paths.ts';

const ROOT = join(import.meta.dirname, '../../..');
const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8');

/** The example in docs/configuration.md; `http.tls` has the settings of `grpc.tls`. */
const documented = (): string[] => {
  const [, yaml = ''] = /```yaml\n([\s\S]*?)```/u.exec(read('docs/configuration.md')) ?? [];
  const config = parse(yaml);
  config.http.tls = config.grpc.tls;
  return pathsOf(config);
};

/** The configuration that the chart renders with default values. */
const rendered = (): string[] => {
  const objects = parseAllDocuments(read('test/integration/chart/defaults.golden.yaml')).map((document) =>
    document.toJS(),
  );
  const map = objects.find((object) => object?.kind === 'ConfigMap' && object.data['config.yaml']);
  return pathsOf(parse(map?.data['config.yaml']));
};

/** The template sets those of `tls` by the mode of the certificate. */
const templated = [...read('charts/m2m-oauth-operator/templates/_config.tpl').matchAll(/^\s*(\w+):/gmu)].map(
  ([, name]) => name,
);

const places: Readonly<Record<string, (path: string) => boolean>> = {
  'docs/configuration.md': (path) => documented().includes(path),
  'charts/m2m-oauth-operator/values.yaml with values-schema.ts and templates/_config.tpl, and defaults.golden.yaml':
    (path) =>
      path.includes('.tls.') ? templated.includes(path.split('.').at(-1)) : rendered().includes(path),
};

test.each(pathsOf(defaultConfig()))('the setting %s stands in the documentation and in the chart', (path) => {
  const forgotten = Object.entries(places).filter(([, has]) => !has(path));
  expect(forgotten.map(([place]) => place)).toEqual([]);
});

test('the documentation and the chart have no setting that does not exist', () => {
  const known = pathsOf(defaultConfig());
  expect([...documented(), ...rendered()].filter((path) => !known.includes(path))).toEqual([]);
});
