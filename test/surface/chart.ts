import { access } from 'node:fs/promises';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { parse, parseAllDocuments } from 'yaml';
import { cacheDir } from '../cluster/binaries.ts';
import { VALUES } from '../integration/chart/values-matrix.ts';
import { helm, RELEASE, valueFlags } from '../support/helm.ts';
import { withoutTexts } from './plain.ts';
import type { Surface } from './surface.ts';

/** Whether helm is in the cache: this script does not build it. */
export const helmIsBuilt = (): Promise<boolean> =>
  access(join(cacheDir('helm', process.env), 'helm')).then(
    () => true,
    () => false,
  );

/** Parses a file in a ConfigMap. */
const parseFile = (key: string, text: string): unknown =>
  /\.(json|yaml)$/u.test(key) ? parse(text) : undefined;

/** Helm generates other keys and certificates at each rendering: only the names count. */
const withoutSecrets = (object: { kind: string; data?: object }): unknown =>
  object.kind === 'Secret' ? { ...object, data: Object.keys(object.data ?? {}) } : object;

/** Renders the chart: its objects by kind and name, or helm's error if it rejects the values. */
const render = async (chart: string, values: Readonly<Record<string, unknown>>): Promise<Surface> => {
  try {
    const flags = ['--namespace', 'm2m-oauth-system', ...valueFlags(values)];
    const documents = parseAllDocuments(await helm('template', RELEASE, chart, ...flags));
    const objects = documents.flatMap((document) => document.toJS() ?? []);
    return new Map(
      objects.map((object) => [
        `${object.kind}-${object.metadata.name}`,
        withoutTexts(withoutSecrets(object), parseFile),
      ]),
    );
  } catch (error) {
    return new Map([['refused', (error as Error).message.replaceAll(chart, 'chart')]]);
  }
};

/** The rendered chart of a revision: for each set of values the names of its objects, and those that differ from the defaults. */
export const readChart = async (root: string): Promise<Surface> => {
  const chart = join(root, 'charts/m2m-oauth-operator');
  const surface: Surface = new Map();
  let defaults: Surface = new Map();
  for (const [title, values] of Object.entries(VALUES)) {
    const rendered = await render(chart, values);
    surface.set(`chart/${title}/objects`, [...rendered.keys()].sort());
    for (const [name, object] of rendered) {
      if (!isDeepStrictEqual(object, defaults.get(name))) surface.set(`chart/${title}/${name}`, object);
    }
    // The first entry: the others are compared with it.
    if (Object.keys(values).length === 0) defaults = rendered;
  }
  return surface;
};
