import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { imagePackages } from '../../docs/image-packages.ts';

/** The parts of an entry of package-lock.json (lockfileVersion 3) that these tests read. */
interface Entry {
  readonly integrity?: string;
  readonly resolved?: string;
  readonly dev?: boolean;
  readonly hasInstallScript?: boolean;
  readonly engines?: { readonly node?: string };
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

const lockfile = JSON.parse(readFileSync(join(import.meta.dirname, '../../package-lock.json'), 'utf8')) as {
  readonly packages: Readonly<Record<string, Entry>>;
};
const entries = Object.entries(lockfile.packages);
const installed = entries.filter(([path]) => path !== '');

/** Node's resolution: node_modules of the package itself, then of each folder above it. */
function resolves(from: string, name: string): boolean {
  if (`${from === '' ? '' : `${from}/`}node_modules/${name}` in lockfile.packages) return true;
  if (from === '') return false;
  return resolves(from.replace(/\/?node_modules\/(@[^/]+\/)?[^/]+$/, ''), name);
}

/** `[major, minor, patch]` of a range that states a lower bound alone; of another range, nothing. */
function lowerBound(range: string | undefined): readonly number[] | undefined {
  const match = /^>=\s*(\d+)(?:\.(\d+))?(?:\.(\d+))?$/.exec(range ?? '');
  return match?.slice(1).map((part) => Number(part ?? 0));
}

const compareVersions = (a: readonly number[], b: readonly number[]): number =>
  a.map((part, index) => part - (b[index] ?? 0)).find((difference) => difference !== 0) ?? 0;

// npm leaves out optional packages that the configured registry does not have, or that another platform's node_modules
// did not hold; `npm ci` then fails. Where there is no node_modules, `npm install --package-lock-only` adds them.
test('the lockfile holds every dependency, those of other platforms too', () => {
  const missing = entries.flatMap(([path, { dependencies, optionalDependencies }]) =>
    Object.keys({ ...dependencies, ...optionalDependencies })
      .filter((name) => !resolves(path, name))
      .map((name) => `${path}: ${name}`),
  );
  expect(missing).toEqual([]);
  expect(installed.length).toBeGreaterThan(400);
});

test('each package of the lockfile has a SHA-512, and none a registry other than npm’s', () => {
  const wrong = installed.filter(
    ([, { integrity, resolved }]) =>
      !integrity?.startsWith('sha512-') || (resolved && !resolved.startsWith('https://registry.npmjs.org/')),
  );
  expect(wrong.map(([path]) => path)).toEqual([]);
});

test('package.json asks for the Node that its dependencies ask for', () => {
  const own = lowerBound(lockfile.packages['']?.engines?.node);
  const bounds = installed
    .map(([, { engines }]) => lowerBound(engines?.node))
    .filter((bound) => bound !== undefined);
  expect(bounds.sort(compareVersions).at(-1)).toEqual(own);
});

/** Licenses that ask for no more than notices, which the image keeps. */
const ACCEPTED = [
  '(Apache-2.0 AND BSD-3-Clause)',
  'Apache-2.0',
  'BSD-2-Clause',
  'BSD-3-Clause',
  'ISC',
  'MIT',
  'PSF-2.0',
  'Unlicense',
];

test('each package of the image has a license that we accept', () => {
  const packages = imagePackages();
  expect(packages.length).toBeGreaterThan(100);
  expect(packages.filter(({ license }) => !ACCEPTED.includes(license))).toEqual([]);
});

test('each package with an install script is on the list in package.json, which says whether it may run', () => {
  const { allowScripts } = JSON.parse(readFileSync(join(import.meta.dirname, '../../package.json'), 'utf8'));
  const names = installed
    .filter(([, { hasInstallScript }]) => hasInstallScript)
    .map(([path]) => path.replace(/^.*node_modules\//u, ''));
  expect([...new Set(names)].sort()).toEqual(Object.keys(allowScripts).sort());
});
