import { startCluster } from '../cluster/cluster.ts';
import { whyNoNode } from '../cluster/node/machine.ts';
import { type ClusterEnv, envOf, SYSTEM } from './support/cluster-env.ts';
import { startWalk } from './support/steps.ts';
import { image } from './walk-image.ts';
import { install, narrowed, quiet, uninstalled } from './walk-release.ts';
import { blacklisted, declared, recordObjects } from './walk-workloads.ts';

/** `make e2e`: the image, the chart and two workloads on a real node. Ends with 0, or with what went wrong. */

const tellAll = async ({ kubectl }: ClusterEnv): Promise<void> => {
  const questions = [
    ['get', 'pods', '--all-namespaces', '--output', 'wide'],
    ['get', 'events', '--all-namespaces', '--sort-by=.lastTimestamp'],
    [
      '--namespace',
      SYSTEM,
      'logs',
      '--selector=app.kubernetes.io/component=operator',
      '--tail=30',
      '--prefix',
    ],
  ];
  for (const question of questions) console.log(await kubectl(...question).catch(String));
};

const main = async (): Promise<number> => {
  const reason = await whyNoNode();
  if (reason) {
    console.log(`skipped: ${reason}`);
    return 0;
  }
  const startedAt = performance.now();
  const walk = startWalk();
  const cluster = await walk.step('a control plane and a node', () => startCluster({ node: true }));
  let env: ClusterEnv | undefined;
  try {
    env = await envOf(cluster);
    await image(walk, env);
    await install(walk, env);
    await declared(walk, env);
    await recordObjects(walk, env);
    await blacklisted(walk, env);
    await quiet(walk, env);
    await uninstalled(walk, env);
    await narrowed(walk, env);
    await quiet(walk, env);
    console.log(`${walk.passed} steps in ${Math.round((performance.now() - startedAt) / 1000)} s`);
    return 0;
  } catch (error) {
    console.log(error);
    if (env) await tellAll(env);
    return 1;
  } finally {
    await cluster.stop();
  }
};

// Ctrl-C just ends this process: the cluster's watchdog takes the node away.
process.exitCode = await main();
