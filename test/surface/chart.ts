import { access } from 'node:fs/promises';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { parse, parseAllDocuments } from 'yaml';
import { cacheDir } from '../cluster/binaries.ts';
import { VALUES } from '../integration/chart/values-matrix.ts';
import { helm, RELEASE, valueFlags } from '../support/helm.ts';
import { withoutTexts } from './plain.ts';
import type { Surface } from './surface.ts';

/** Whether helm is built: this script does not wait for a build. */
export const helmIsBuilt = (): Promise<boolean> =>
  access(join(cacheDir('helm', process.env), 'helm')).then(
    () => true,
    () => false,
  );

/** Files in a ConfigMap are documents too. */
const parseFile = (key: string, text: string): unknown =>
  /\.(json|yaml)$/u.test(key) ? parse(text) : undefined;

/** Keys and certificates are other ones at each rendering. */
const withoutSecrets = (object: { kind: string; data?: object }): unknown =>
  object.kind === 'Secret' ? { ...object, data: Object.keys(object.data ?? {}) } : object;

/** The objects by kind and name; where helm refuses the values, what it says. */
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

/** The chart of a revision: which objects each of the values give, and those that differ from the defaults' own. */
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
    // They come first.
    if (Object.keys(values).length === 0) defaults = rendered;
  }
  return surface;
};
