import { randomBytes } from 'node:crypto';
import { Agent, type Dispatcher, request } from 'undici';
import { type Connection, readKubeconfig } from '../cluster/kubeconfig.ts';
import { collectionPath, type ObjectRef, objectPath } from './resource-path.ts';

/** An object as the API server gives it. Tests look into spec, status and data freely. */
export interface KubeObject extends ObjectRef {
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly uid: string;
    readonly resourceVersion: string;
    readonly generation?: number;
    readonly creationTimestamp: string;
    readonly deletionTimestamp?: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
    readonly finalizers?: readonly string[];
    readonly ownerReferences?: readonly {
      readonly kind: string;
      readonly name: string;
      readonly uid: string;
    }[];
    readonly managedFields?: readonly { readonly manager: string; readonly subresource?: string }[];
  };
  // biome-ignore lint/suspicious/noExplicitAny: the shape differs by kind, and a test asserts it
  readonly [field: string]: any;
}

/** What `get` and the writes refer to: an object, or just its apiVersion, kind, name and namespace. */
export type Ref = ObjectRef & { readonly [field: string]: unknown };

/** A page of a collection. */
interface KubeList {
  readonly metadata: { readonly resourceVersion: string; readonly continue?: string };
  readonly items: readonly KubeObject[];
}

/** The answer of the API server; `body` is a Status where `status` is 400 or more. */
export interface Answer<T = KubeObject> {
  readonly status: number;
  readonly body: T;
}

type Query = Readonly<Record<string, string | number | boolean>>;

/** What comes with a call; `query` is for fieldManager, dryRun, labelSelector and the like. */
interface CallOptions {
  readonly subresource?: 'status' | 'scale' | 'token';
  readonly query?: Query;
}

const patchTypes = {
  json: 'application/json-patch+json',
  merge: 'application/merge-patch+json',
  apply: 'application/apply-patch+yaml',
} as const;

/** The API server as a test sees it, as administrator: no retries, no cache, every status issued. */
export interface TestApi {
  readonly server: string;
  get(ref: Ref, options?: CallOptions): Promise<Answer>;
  /** The collection of the ref's namespace, or of all namespaces where it names none. */
  list(ref: Ref, options?: CallOptions): Promise<Answer<KubeList>>;
  create(object: Ref, options?: CallOptions): Promise<Answer>;
  replace(object: Ref, options?: CallOptions): Promise<Answer>;
  patch(ref: Ref, type: 'json' | 'merge', patch: unknown, options?: CallOptions): Promise<Answer>;
  /** Server-side apply; field manager `test` and no force unless the query says otherwise. */
  apply(object: Ref, options?: CallOptions): Promise<Answer>;
  delete(ref: Ref, options?: CallOptions): Promise<Answer>;
  /** For what the methods above don't cover; `path` begins with `/`. */
  request(method: Dispatcher.HttpMethod, path: string, body?: unknown): Promise<Answer>;
  /** Makes a namespace of a new name; `close` deletes it. */
  createNamespace(prefix?: string): Promise<string>;
  /** Deletes the namespaces that `createNamespace` made (without waiting for their end) and closes connections. */
  close(): Promise<void>;
}

/**
 * The API server of a kubeconfig: the shared cluster of the integration tests unless given. In a test file:
 * `const api = testApi(); afterAll(api.close);`
 * @throws Error where there is neither a path nor M2M_TEST_KUBECONFIG.
 */
export function testApi(kubeconfigPath = process.env.M2M_TEST_KUBECONFIG): TestApi {
  if (!kubeconfigPath)
    throw new Error('no kubeconfig: M2M_TEST_KUBECONFIG is set by test/support/global-setup.ts');
  const { server, call, disconnect } = connect(readKubeconfig(kubeconfigPath));
  const namespaces: string[] = [];
  const api: TestApi = {
    server,
    get: (ref, { subresource, query } = {}) => call('GET', objectPath(ref, subresource), { query }),
    list: (ref, { query } = {}) => call<KubeList>('GET', collectionPath(ref), { query }),
    create: (body, { subresource, query } = {}) =>
      call('POST', subresource ? objectPath(body, subresource) : collectionPath(body), { query, body }),
    replace: (body, { subresource, query } = {}) =>
      call('PUT', objectPath(body, subresource), { query, body }),
    patch: (ref, type, body, { subresource, query } = {}) =>
      call('PATCH', objectPath(ref, subresource), { query, body, contentType: patchTypes[type] }),
    apply: (body, { subresource, query: given } = {}) => {
      const query = { fieldManager: 'test', ...given };
      return call('PATCH', objectPath(body, subresource), { query, body, contentType: patchTypes.apply });
    },
    delete: (ref, { query } = {}) => call('DELETE', objectPath(ref), { query }),
    request: (method, path, body) => call(method, path, { body }),
    createNamespace: async (prefix = 'test') => {
      const name = `${prefix}-${randomBytes(4).toString('hex')}`;
      bodyOf(await api.create(namespaceOf(name)));
      namespaces.push(name);
      return name;
    },
    close: async () => {
      for (const name of namespaces.splice(0)) await api.delete(namespaceOf(name));
      await disconnect();
    },
  };
  return api;
}

/**
 * The object of an answer that has to be a success.
 * @throws Error with the API server's own words where it isn't.
 */
export function bodyOf<T>({ status, body }: Answer<T>): T {
  if (status < 400) return body;
  const { message } = body as { message?: string };
  throw new Error(`the API server answered ${status}: ${message ?? JSON.stringify(body)}`);
}

/** A namespace of that name. */
export const namespaceOf = (name: string) => ({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } });

interface Call {
  readonly query?: Query | undefined;
  readonly body?: unknown;
  readonly contentType?: string;
}

function connect({ server, ca, client }: Connection) {
  const dispatcher = new Agent({ connect: { ca, cert: client.certificate, key: client.key } });
  const call = async <T = KubeObject>(
    method: Dispatcher.HttpMethod,
    path: string,
    { query, body, contentType = 'application/json' }: Call,
  ): Promise<Answer<T>> => {
    const response = await request(`${server}${path}`, {
      method,
      dispatcher,
      ...(query && { query }),
      headers: { accept: 'application/json', 'content-type': contentType },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    const text = await response.body.text();
    return { status: response.statusCode, body: parseBody(text) as T };
  };
  return { server, call, disconnect: () => dispatcher.destroy() };
}

/** Some paths, /readyz say, answer in plain text. */
function parseBody(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return { message: text };
  }
}
