import { ensureBinary, isWithinReach } from './binaries.ts';
import { type BinaryName, binarySources } from './binary-sources.ts';
import { whyNoNode } from './node/machine.ts';

/**
 * `npm run programs`: has every program that tests of this machine need, before they run. Where one is built beside tests, its
 * compiler takes both cores, and what those tests wait for comes too late.
 */

/** What runs Pods, and is of no use where none can run. */
const NODE_ONLY: ReadonlySet<BinaryName> = new Set([
  'kubelet',
  'kube-proxy',
  'kube-scheduler',
  'coredns',
  'pause',
]);

const main = async (): Promise<void> => {
  const reason = await whyNoNode();
  if (reason) console.error(`no programs of a node: ${reason}`);
  for (const name of Object.keys(binarySources) as BinaryName[]) {
    if (reason && NODE_ONLY.has(name)) continue;
    if (await isWithinReach(name)) console.log(await ensureBinary(name));
    else console.error(`${name} can neither be found nor built here: tests that need it are skipped`);
  }
};

await main();
