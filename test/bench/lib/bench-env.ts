import { join } from 'node:path';
import { type Cluster, startCluster } from '../../cluster/cluster.ts';
import { namespaceOf, type TestApi, testApi } from '../../support/api.ts';
import { applyFiles, applyObjects } from '../../support/apply.ts';
import { eventually } from '../../support/eventually.ts';
import { type OperatorOptions, type OperatorProcess, startOperator } from '../../support/operator-process.ts';
import { type ApiServer, connectApiServer, type StoredObject, timedLoop } from '../limits/api-server.ts';

/** This checkout. */
export const ROOT = join(import.meta.dirname, '../../..');
/** The operator's namespace, where the bench's client stands too. */
export const SYSTEM = 'm2m-oauth-system';
export const AUDIENCE = 'https://api.example.com';
/** The operator's issuer URL: as an audience, it gives a bearer its owner's rights. */
export const ISSUER = 'https://localhost:9101/m2m-oauth-server';
/** Of the bench's client; its control plane listens on loopback and lives for one run. */
export const CLIENT_SECRET = 'bench-client-secret';

/** A control plane with our resources, one client and one signing key. */
export interface BenchEnv {
  readonly cluster: Cluster;
  readonly api: TestApi;
  readonly server: ApiServer;
  operator(options?: Partial<OperatorOptions>): Promise<OperatorProcess>;
  /** Makes `count` Tokens, {@link IN_FLIGHT} at a time; in a new namespace unless one is given, which is created where it does not exist. */
  createTokens(
    count: number,
    given?: string,
  ): Promise<{ namespace: string; tokens: StoredObject[]; seconds: number }>;
  close(): Promise<void>;
}

export const tokensPath = (namespace: string): string =>
  `/apis/m2moauth.dev/v1alpha1/namespaces/${namespace}/tokens`;
export const secretsPath = (namespace: string): string => `/api/v1/namespaces/${namespace}/secrets`;

/** The bench's client. */
export const CLIENT = {
  apiVersion: 'm2moauth.dev/v1alpha1',
  kind: 'OAuthClient',
  metadata: { name: 'bench', namespace: SYSTEM },
  spec: {
    owner: 'bench',
    allowedNamespaces: { from: 'All' },
    allowedAudiences: [AUDIENCE, ISSUER],
    allowedScopes: ['read', 'write'],
    authentication: { clientSecret: { secretRef: { name: 'bench', key: 'client_secret' } } },
  },
};
const SECRET = {
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { name: 'bench', namespace: SYSTEM },
  stringData: { client_secret: CLIENT_SECRET },
};
/** The key that signs. */
export const KEY = {
  apiVersion: 'm2moauth.dev/v1alpha1',
  kind: 'SigningKey',
  metadata: { name: 'default', namespace: SYSTEM },
  spec: {},
};

/** What every Token of the bench asks for. */
export const tokenOf = (name: string, namespace: string): object => ({
  apiVersion: 'm2moauth.dev/v1alpha1',
  kind: 'Token',
  metadata: { name, namespace },
  spec: {
    clientRef: { name: 'bench', namespace: SYSTEM },
    audience: [AUDIENCE],
    scope: ['read'],
  },
});

/** True where condition `Ready` is True. */
export const isReady = (object: StoredObject): boolean =>
  object.status?.conditions?.some(
    (condition: { type: string; status: string }) =>
      condition.type === 'Ready' && condition.status === 'True',
  ) ?? false;

/**
 * Every five minutes the API server compares its caches with etcd (DetectCacheInconsistency), for which it decodes every object: with
 * tens of thousands that takes a good part of a core for most of a minute, from whichever side is measured by then. Off for both.
 * A DELETE of a whole collection, by which a scenario cleans up, has as many workers: nothing that is measured makes one, and one worker
 * takes twice as long.
 */
const API_SERVER_FLAGS = ['--feature-gates=DetectCacheInconsistency=false', '--delete-collection-workers=16'];

/** A checkout that is built, and the configuration that all of its operators have unless they are given another. */
export interface BenchCheckout {
  readonly root: string;
  readonly config?: OperatorOptions['config'];
}

/**
 * Starts a control plane with CRDs, client and key; client and key are Ready when it returns, and no operator runs. CRDs, roles and
 * operators are those of a checkout: this one unless given.
 */
export const createBenchEnv = async ({ root, config }: BenchCheckout = { root: ROOT }): Promise<BenchEnv> => {
  const cluster = await startCluster({ apiserverFlags: API_SERVER_FLAGS });
  const api = testApi(cluster.kubeconfigPath);
  const server = connectApiServer(cluster.kubeconfigPath);
  await applyFiles(api, [join(root, 'crds'), join(root, 'operator/deploy')]);
  await applyObjects(api, [KEY, SECRET, CLIENT], { namespace: SYSTEM });
  const operator = (options: Partial<OperatorOptions> = {}) =>
    startOperator({
      kubeconfigPath: cluster.kubeconfigPath,
      main: join(root, 'dist/main.js'),
      ...(config && { config }),
      ...options,
    });
  const first = await operator();
  await eventually(async () => isReady((await api.get(KEY)).body) && isReady((await api.get(CLIENT)).body), {
    timeoutMs: 60_000,
  });
  await first.stop();
  return {
    cluster,
    api,
    server,
    operator,
    createTokens: async (count, given) => {
      const namespace = given ?? (await api.createNamespace('bench'));
      if (given !== undefined) await applyObjects(api, [namespaceOf(given)]);
      const tokens: StoredObject[] = new Array(count);
      const seconds = await timedLoop(count, async (at) => {
        tokens[at] = await server.write('POST', tokensPath(namespace), tokenOf(`token-${at}`, namespace));
      });
      return { namespace, tokens, seconds };
    },
    close: async () => {
      await server.close();
      await cluster.stop();
    },
  };
};

/** Deletes the Tokens of a namespace and their Secrets; no operator may run, which would put the Secrets back. */
export const emptyTokens = async ({ server }: BenchEnv, namespace: string): Promise<void> => {
  await server.empty(tokensPath(namespace));
  await server.empty(secretsPath(namespace));
};
