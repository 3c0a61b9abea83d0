import { ensureNginx } from '../clients/nginx.ts';
import { ensureBinaries, isWithinReach } from '../cluster/binaries.ts';
import { type BinaryName, binarySets } from '../cluster/binary-sources.ts';
import { ClusterError } from '../cluster/cluster-error.ts';
import { whyNoNode } from '../cluster/node/machine.ts';
import { ensureThirdPartyCrds } from '../integration/chart/third-party-crds.ts';
import { needsUnitTestsOnly } from './jest-arguments.ts';

/**
 * `node test/support/prepare.ts SET [JEST OPTION...]`: obtains what the programs or tests of a set need that this machine
 * lacks, before they run. A compiler beside running tests takes both cores, and what they wait for comes too late.
 */

/** Without these no test of a set runs; the others are left out where there is no way to them. */
const REQUIRED: ReadonlySet<BinaryName> = new Set(binarySets.run);

const isPossible = async (name: BinaryName): Promise<boolean> => {
  if (REQUIRED.has(name) || (await isWithinReach(name))) return true;
  console.error(`${name} can be neither found, downloaded nor built here: tests that need it are skipped`);
  return false;
};

/** What is not built: other projects' CRDs, and NGINX. Tests say why they are skipped without them. */
const fetchFiles = async (): Promise<void> => {
  await ensureThirdPartyCrds().catch((error) => console.error(`no CRDs of other projects: ${error.message}`));
  await ensureNginx();
};

const prepare = async (set: keyof typeof binarySets): Promise<void> => {
  const reason = set === 'node' || set === 'e2e' ? await whyNoNode() : undefined;
  if (reason) {
    console.error(`no programs of a node: ${reason}`);
    return;
  }
  const wanted: BinaryName[] = [];
  for (const name of binarySets[set]) if (await isPossible(name)) wanted.push(name);
  await ensureBinaries(wanted);
  if (set === 'test') await fetchFiles();
};

const [set = 'test', ...jestArguments] = process.argv.slice(2);
if (!(set in binarySets)) {
  console.error(`there is no set '${set}'; the sets are ${Object.keys(binarySets).join(', ')}`);
  process.exitCode = 2;
} else if (!needsUnitTestsOnly(jestArguments)) {
  try {
    await prepare(set as keyof typeof binarySets);
  } catch (error) {
    console.error(error instanceof ClusterError ? error.message : error);
    process.exitCode = 1;
  }
}
