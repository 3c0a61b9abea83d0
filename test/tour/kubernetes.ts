import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  ApiException,
  CoreV1Api,
  KubeConfig,
  type KubernetesObject,
  KubernetesObjectApi,
  PatchStrategy,
} from '@kubernetes/client-node';
import { parseAllDocuments } from 'yaml';
import { eventually } from '../support/eventually.ts';

/** An object whose fields are looked into freely. */
export interface AnyObject extends KubernetesObject {
  // biome-ignore lint/suspicious/noExplicitAny: the tour shows whatever is there
  readonly [field: string]: any;
}

type Named = AnyObject & { metadata: { name: string; namespace?: string } };

/** What the tour does with a cluster, whichever it is: the things that kubectl would do. */
export interface TourCluster {
  /** `kubectl apply --server-side --force-conflicts -f PATH` for a file or a folder's own files. */
  apply(path: string): Promise<Named[]>;
  get(ref: AnyObject): Promise<AnyObject>;
  /** A kubeconfig that acts as that ServiceAccount and as nobody else, for `hours`. */
  kubeconfigOf(account: { namespace: string; name: string }, hours: number): Promise<string>;
}

const readObjects = async (path: string): Promise<Named[]> => {
  const files = path.endsWith('.yaml')
    ? [path]
    : (await readdir(path)).filter((name) => name.endsWith('.yaml')).map((name) => join(path, name));
  const texts = await Promise.all(files.sort().map((file) => readFile(file, 'utf8')));
  return texts.flatMap((text) => parseAllDocuments(text).map((document) => document.toJS() as Named));
};

const isEstablished = (object: AnyObject): boolean =>
  object.status?.conditions?.some(
    (condition: { type: string; status: string }) =>
      condition.type === 'Established' && condition.status === 'True',
  ) ?? false;

/** Says who answered what, without headers and bodies. */
const explain = (error: unknown, object: Named): Error => {
  if (!(error instanceof ApiException)) return error as Error;
  const status = JSON.parse(String(error.body)) as { message?: string };
  return new Error(`${object.kind} ${object.metadata.name}: ${error.code} ${status.message ?? ''}`);
};

/**
 * Connects by a kubeconfig file, of any kind that client-node can read.
 * @throws Error of client-node where the file can't be read.
 */
export const connect = (kubeconfigPath: string): TourCluster => {
  const config = new KubeConfig();
  config.loadFromFile(kubeconfigPath);
  const objects = KubernetesObjectApi.makeApiClient(config);
  const applyOne = async (object: Named): Promise<Named> => {
    const applied = await objects
      .patch(object, undefined, undefined, 'm2m-tour', true, PatchStrategy.ServerSideApply)
      .catch((error) => Promise.reject(explain(error, object)));
    if (object.kind === 'CustomResourceDefinition') {
      await eventually(async () => isEstablished(await objects.read(object)), { timeoutMs: 30_000 });
    }
    return applied as Named;
  };
  return {
    apply: async (path) => {
      const applied: Named[] = [];
      for (const object of await readObjects(path)) applied.push(await applyOne(object));
      return applied;
    },
    get: (ref) => objects.read(ref as Named) as Promise<AnyObject>,
    kubeconfigOf: async ({ namespace, name }, hours) => {
      const { status } = await config.makeApiClient(CoreV1Api).createNamespacedServiceAccountToken({
        namespace,
        name,
        body: {
          apiVersion: 'authentication.k8s.io/v1',
          kind: 'TokenRequest',
          spec: { audiences: [], expirationSeconds: hours * 3600 },
        },
      });
      const cluster = config.getCurrentCluster();
      const limited = new KubeConfig();
      if (cluster === null || status?.token === undefined) {
        throw new Error('the kubeconfig names no cluster, or the cluster gives no ServiceAccount tokens');
      }
      limited.loadFromClusterAndUser(cluster, { name, token: status.token });
      return limited.exportConfig();
    },
  };
};
