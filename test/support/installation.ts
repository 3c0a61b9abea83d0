import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Cluster } from '../cluster/cluster.ts';
import { connect } from './any-cluster.ts';
import { bodyOf, type KubeObject, type Ref, type TestApi, testApi } from './api.ts';
import { applyFiles, applyObjects } from './apply.ts';
import { takeCluster } from './cluster-pool.ts';
import { eventually } from './eventually.ts';
import { type OperatorOptions, type OperatorProcess, startOperator } from './operator-process.ts';
import { collectionPath } from './resource-path.ts';

const ROOT = join(import.meta.dirname, '../..');

/** The operator's own namespace. */
export const SYSTEM = 'm2m-oauth-system';
export const GROUP_VERSION = 'm2moauth.dev/v1alpha1';

/**
 * A cluster that no other suite uses meanwhile, with CRDs, roles, one SigningKey and one OAuthClient; operators are
 * processes of the compiled program.
 */
export interface Installation {
  readonly cluster: Cluster;
  readonly api: TestApi;
  /** Acts as the operator's ServiceAccount alone. */
  readonly kubeconfigPath: string;
  /** Starts one more replica; ended by {@link Installation.close} if it still runs. */
  operator(options?: Partial<OperatorOptions>): Promise<OperatorProcess>;
  /** Ends operators, leaves the cluster to the next suite, removes files. */
  close(): Promise<void>;
}

export const signingKey = (name = 'default', spec: object = {}): Ref => ({
  apiVersion: GROUP_VERSION,
  kind: 'SigningKey',
  metadata: { name, namespace: SYSTEM },
  spec,
});

export const oauthClient = (name: string, namespace: string, spec: object = {}): Ref => ({
  apiVersion: GROUP_VERSION,
  kind: 'OAuthClient',
  metadata: { name, namespace },
  spec: {
    owner: name,
    allowedNamespaces: { from: 'All' },
    allowedAudiences: ['https://api.example.com'],
    allowedScopes: ['read', 'write'],
    ...spec,
  },
});

export const token = (name: string, namespace: string, spec: object = {}): Ref => ({
  apiVersion: GROUP_VERSION,
  kind: 'Token',
  metadata: { name, namespace },
  spec: {
    clientRef: { name: 'shared', namespace: SYSTEM },
    audience: ['https://api.example.com'],
    scope: ['read'],
    ...spec,
  },
});

interface Condition {
  readonly type: string;
  readonly status: string;
  readonly reason: string;
  readonly message: string;
}

/** The condition of that type, if the object has one. */
export const conditionOf = (object: KubeObject, type = 'Ready'): Condition | undefined =>
  object.status?.conditions?.find((condition: Condition) => condition.type === type);

/** Waits until the object's condition `Ready` has that status and reason. */
export const waitForReason = (
  api: TestApi,
  ref: Ref,
  reason: string,
  timeoutMs = 30_000,
): Promise<KubeObject> =>
  eventually(
    async () => {
      const object = bodyOf(await api.get(ref));
      const ready = conditionOf(object);
      if (ready?.reason !== reason) throw new Error(`Ready is ${ready?.reason}: ${ready?.message}`);
      return object;
    },
    { timeoutMs },
  );

/** The claims in a Secret that a Token made, unverified. */
export const claimsIn = (secret: KubeObject, key = 'token'): Record<string, unknown> => {
  const jwt = Buffer.from(secret.data[key], 'base64').toString('utf8');
  return JSON.parse(Buffer.from(jwt.split('.')[1] ?? '', 'base64url').toString('utf8'));
};

const KINDS = ['Token', 'OAuthClient', 'SigningKey', 'IssuedToken', 'TokenBatch'];

/** What operators write, and the tests' own Secrets. */
const LEFTOVERS = [
  ...KINDS.map((kind) => ({ apiVersion: GROUP_VERSION, kind })),
  { apiVersion: 'v1', kind: 'Secret' },
  { apiVersion: 'v1', kind: 'ConfigMap' },
  { apiVersion: 'events.k8s.io/v1', kind: 'Event' },
  { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease' },
];

/** Deletes what an earlier suite left in the cluster. */
const removeLeftovers = async (api: TestApi): Promise<void> => {
  const { items } = bodyOf(await api.list({ apiVersion: 'v1', kind: 'Namespace' }));
  const namespaces = items.map(({ metadata }) => metadata.name).filter((name) => !name.startsWith('kube-'));
  await Promise.all(
    namespaces.map(async (namespace) => {
      for (const kind of LEFTOVERS) {
        bodyOf(await api.request('DELETE', collectionPath({ ...kind, metadata: { namespace } })));
      }
    }),
  );
  for (const kind of KINDS) {
    const left = bodyOf(await api.list({ apiVersion: GROUP_VERSION, kind, metadata: {} })).items;
    if (left.length > 0) throw new Error(`${left.length} objects of kind ${kind} are left of another suite`);
  }
};

/** Brings an {@link Installation} up; the client `shared` and the key `default` exist, and no operator runs yet. */
export const install = async (): Promise<Installation> => {
  const dir = await mkdtemp(join(tmpdir(), 'm2m-installation-'));
  const { cluster, isNew, release } = await takeCluster();
  const api = testApi(cluster.kubeconfigPath);
  if (!isNew) await removeLeftovers(api);
  // As kubectl, so that the commands of the README find what they would have made themselves.
  await applyFiles(api, [join(ROOT, 'crds'), join(ROOT, 'operator/deploy')], { fieldManager: 'kubectl' });
  if (isNew) {
    // The garbage collector looks for new kinds every 30 s, but at its start at once.
    await cluster.kill('controllerManager');
    await cluster.start('controllerManager');
  }
  await applyObjects(api, [signingKey(), oauthClient('shared', SYSTEM)], { namespace: SYSTEM });
  const kubeconfigPath = join(dir, 'operator.kubeconfig');
  const account = { namespace: SYSTEM, name: 'm2m-oauth-operator' };
  const admin = connect(cluster.kubeconfigPath);
  const kubeconfig = await admin.kubeconfigOf(account, 4);
  await admin.close();
  await writeFile(kubeconfigPath, kubeconfig, { mode: 0o600 });
  const running = new Set<OperatorProcess>();
  return {
    cluster,
    api,
    kubeconfigPath,
    operator: async (options) => {
      const operator = await startOperator({ kubeconfigPath, ...options });
      running.add(operator);
      void operator.exited.then(() => running.delete(operator));
      return operator;
    },
    close: async () => {
      await Promise.all([...running].map((operator) => operator.kill()));
      await api.close();
      await release();
      await rm(dir, { recursive: true, force: true });
    },
  };
};
