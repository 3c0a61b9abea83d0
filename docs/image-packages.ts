import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** An npm package of the image. */
export interface ImagePackage {
  readonly name: string;
  readonly version: string;
  /** An SPDX license expression, as the package states it; `none` where it does not. */
  readonly license: string;
}

interface Entry {
  readonly version: string;
  readonly license?: string;
  readonly dev?: boolean;
  readonly optional?: boolean;
  readonly devOptional?: boolean;
}

/** The packages that `npm ci --omit=dev --omit=optional` installs by the lockfile, as the Dockerfile does; in order of their names. */
export const imagePackages = (): readonly ImagePackage[] => {
  const text = readFileSync(join(import.meta.dirname, '../package-lock.json'), 'utf8');
  const { packages } = JSON.parse(text) as { packages: Record<string, Entry> };
  const all = Object.entries(packages)
    .filter(([path, { dev, optional, devOptional }]) => path !== '' && !dev && !optional && !devOptional)
    .map(([path, { version, license = 'none' }]) => ({
      name: path.replace(/^.*node_modules\//u, ''),
      version,
      license,
    }));
  const unique = new Map(all.map((entry) => [`${entry.name}@${entry.version}`, entry]));
  return [...unique].sort(([one], [other]) => (one < other ? -1 : 1)).map(([, entry]) => entry);
};
