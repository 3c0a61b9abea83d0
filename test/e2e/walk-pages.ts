import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { shellBlocks } from '../clients/page.ts';
import { ROOT } from './support/cluster-env.ts';

/** The blocks of the pages that need the image or a node, as they stand there; test/integration/docs runs the others. */

const blocksOf = async (path: string, mark: string): Promise<string[]> =>
  shellBlocks(await readFile(join(ROOT, path), 'utf8'), mark);

/** @throws Error where the page has more or fewer of them than the walk runs */
const block = async (path: string, mark: string, place = 0, count = 1): Promise<string> => {
  const blocks = await blocksOf(path, mark);
  if (blocks.length !== count) throw new Error(`${path} has ${blocks.length} blocks ${mark}, not ${count}`);
  return blocks[place] ?? '';
};

export const pages = {
  /** make image, and to the registry with it. */
  makeImage: () => block('docs/install.md', 'install', 0, 2),
  /** helm install and helm test. */
  helmInstall: () => block('docs/install.md', 'install', 1, 2),
  /** The same, in short. */
  chart: () => block('charts/m2m-oauth-operator/README.md', 'chart'),
  /** OAuthClients of a configuration, printed by the image. */
  migrate: () => block('docs/migrate.md', 'image'),
};
