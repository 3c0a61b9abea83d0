import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse } from 'yaml';
import { connect } from './any-cluster.ts';
import { bodyOf, type TestApi } from './api.ts';
import { LOOPBACK_CONFIG, type OperatorProcess, startOperator } from './operator-process.ts';

/** A release of the chart in a cluster that runs no Pods. */
export interface Release {
  readonly api: TestApi;
  readonly kubeconfigPath: string;
  readonly namespace: string;
  readonly name: string;
}

/**
 * Starts an operator as the Pods of a release would: by its ConfigMap, with the permissions of its ServiceAccount and no
 * others. Only where it listens is the test's own, without TLS, since a Pod's files are not here.
 */
export const startReleasedOperator = async (
  { api, kubeconfigPath, namespace, name }: Release,
  main?: string,
): Promise<OperatorProcess> => {
  const ref = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { namespace, name } };
  const configuration = parse(bodyOf(await api.get(ref)).data['config.yaml']);
  // A section that another release does not know is a problem of its configuration.
  const isOlder = main !== undefined && configuration.probes === undefined;
  const admin = connect(kubeconfigPath);
  const dir = await mkdtemp(join(tmpdir(), 'm2m-release-'));
  try {
    const limited = join(dir, 'kubeconfig');
    await writeFile(limited, await admin.kubeconfigOf({ namespace, name }, 1), { mode: 0o600 });
    const operator = await startOperator({
      kubeconfigPath: limited,
      config: { ...configuration, ...LOOPBACK_CONFIG, ...(isOlder && { probes: undefined }) },
      ...(main !== undefined && { main }),
    });
    void operator.exited.then(() => rm(dir, { recursive: true, force: true }));
    return operator;
  } finally {
    await admin.close();
  }
};
