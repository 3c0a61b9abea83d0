import { KubeConfig } from '@kubernetes/client-node';
import { createKubeClient } from '../../operator/kube/client.ts';
import { Connection } from '../../operator/kube/connection.ts';
import { loadCredentialSource } from '../../operator/kube/credentials.ts';
import { systemClock } from '../../operator/ops/system-clock.ts';
import type { KubeObject, Ref } from './api.ts';
import { readObjects } from './apply.ts';
import { eventually } from './eventually.ts';
import { recordedLog } from './quiet.ts';
import { objectPath } from './resource-path.ts';

/** What kubectl would do with a cluster, whichever it is. */
export interface AnyCluster {
  /** `kubectl apply --server-side --force-conflicts -f PATH` for a file or a folder's own files. */
  apply(path: string): Promise<KubeObject[]>;
  get(ref: Ref): Promise<KubeObject>;
  /** A kubeconfig that acts as that ServiceAccount alone, for `hours`. */
  kubeconfigOf(account: { namespace: string; name: string }, hours: number): Promise<string>;
  close(): Promise<void>;
}

const isEstablished = (object: KubeObject): boolean =>
  object.status?.conditions?.some(
    (condition: { type: string; status: string }) =>
      condition.type === 'Established' && condition.status === 'True',
  ) ?? false;

/** The cluster of a kubeconfig, and a token of its ServiceAccount instead of its user. */
const limitedKubeconfig = (kubeconfigPath: string, name: string, token: string): string => {
  const config = new KubeConfig();
  config.loadFromFile(kubeconfigPath);
  const cluster = config.getCurrentCluster();
  if (cluster === null) throw new Error(`${kubeconfigPath} names no cluster`);
  const limited = new KubeConfig();
  limited.loadFromClusterAndUser(cluster, { name, token });
  return limited.exportConfig();
};

/**
 * Connects by a kubeconfig file of any kind: certificates, tokens, exec plug-ins.
 * @throws Error where the file can't be read.
 */
export const connect = (kubeconfigPath: string): AnyCluster => {
  const log = recordedLog();
  const connection = new Connection(loadCredentialSource(kubeconfigPath), { clock: systemClock, log });
  const metrics = { apiRequest: () => undefined, clockSkew: () => undefined };
  const client = createKubeClient({ connection, clock: systemClock, log, metrics });
  const get = (ref: Ref): Promise<KubeObject> => client.request({ verb: 'get', path: objectPath(ref) });

  const applyOne = async (object: Ref): Promise<KubeObject> => {
    const applied = await client.request<KubeObject>({
      verb: 'patch',
      path: objectPath(object),
      query: { fieldManager: 'kubectl', force: true },
      contentType: 'application/apply-patch+yaml',
      body: object,
    });
    if (object.kind === 'CustomResourceDefinition') {
      await eventually(async () => isEstablished(await get(object)), { timeoutMs: 30_000 });
    }
    return applied;
  };
  return {
    get,
    apply: async (path) => {
      const applied: KubeObject[] = [];
      // A kind that has only just been made is answered with 429 for a moment.
      for (const object of await readObjects([path])) {
        applied.push(await eventually(() => applyOne(object), { timeoutMs: 10_000, intervalMs: 250 }));
      }
      return applied;
    },
    kubeconfigOf: async (account, hours) => {
      const { status } = await client.request<KubeObject>({
        verb: 'create',
        path: objectPath({ apiVersion: 'v1', kind: 'ServiceAccount', metadata: account }, 'token'),
        body: {
          apiVersion: 'authentication.k8s.io/v1',
          kind: 'TokenRequest',
          spec: { expirationSeconds: hours * 3600 },
        },
      });
      return limitedKubeconfig(kubeconfigPath, account.name, status.token);
    },
    close: () => connection.close(),
  };
};
