import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { type Cluster, startCluster } from '../../cluster/cluster.ts';
import { importFromBuildah } from '../../cluster/node/images.ts';
import { NODE, PAUSE_IMAGE } from '../../cluster/node/layout.ts';
import { whyNoNode } from '../../cluster/node/machine.ts';
import { bodyOf, testApi } from '../../support/api.ts';
import { eventually } from '../../support/eventually.ts';
import { suiteUnless } from '../../support/suite-unless.ts';

/** `--node`: a kubelet that runs Pods, and nothing left of it afterwards. Asked for by NODE_TESTS=1, as make e2e does. */

const reason = process.env.NODE_TESTS ? await whyNoNode() : '`make e2e` runs it, with NODE_TESTS set';
const withNode = suiteUnless(reason);

withNode('a cluster with a node', () => {
  let cluster: Cluster;
  beforeAll(async () => {
    cluster = await startCluster({ node: true });
  }, 900_000);
  afterAll(() => cluster?.stop());

  test('runs a Pod', async () => {
    const api = testApi(cluster.kubeconfigPath);
    await importFromBuildah(cluster.dir, PAUSE_IMAGE, 'localhost/held:1');
    const pod = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'held', namespace: 'default' } };
    const container = { name: 'held', image: 'localhost/held:1', imagePullPolicy: 'Never' };
    bodyOf(await api.create({ ...pod, spec: { containers: [container], terminationGracePeriodSeconds: 0 } }));
    await eventually(async () => bodyOf(await api.get(pod)).status.phase === 'Running', {
      timeoutMs: 60_000,
    });
    await api.close();
  }, 90_000);

  test('leaves no mount and no device behind', async () => {
    await cluster.stop();
    expect(await readFile('/proc/self/mounts', 'utf8')).not.toContain(cluster.dir);
    const { stdout } = await promisify(execFile)('ip', ['-br', 'link']);
    expect(stdout).not.toMatch(new RegExp(`${NODE.device}|${NODE.podDevice}`, 'u'));
  }, 60_000);
});
