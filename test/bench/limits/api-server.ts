import { createInterface } from 'node:readline';
import { Pool, request } from 'undici';
import { readKubeconfig } from '../../cluster/kubeconfig.ts';
import { eventually } from '../../support/eventually.ts';

/** The API server as a load: bare undici, nothing but JSON in and out. */
export interface ApiServer {
  /** The pool that the bare loops use. */
  readonly pool: Pool;
  /** POST or PUT; the stored object. Throws where the answer is not a success. */
  write(method: 'POST' | 'PUT', path: string, body: object): Promise<StoredObject>;
  get(path: string): Promise<StoredObject>;
  /** How many objects a collection has. */
  count(path: string): Promise<number>;
  /** Every object of a collection, read in pages. */
  all(path: string): Promise<StoredObject[]>;
  /** DELETE on the uid and resourceVersion of what was read. Throws where the answer is not a success. */
  remove(path: string, object: Pick<StoredObject, 'metadata'>): Promise<void>;
  /** Deletes every object of a collection and returns when none is left. */
  empty(path: string): Promise<void>;
  /** Calls back for each event of a collection until the returned function is called; resolves when the watch stands. */
  watch(path: string, onEvent: (event: WatchEvent) => void): Promise<() => void>;
  close(): Promise<void>;
}

export interface StoredObject {
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly uid: string;
    readonly resourceVersion: string;
  };
  // biome-ignore lint/suspicious/noExplicitAny: the bench copies whole objects
  readonly [field: string]: any;
}

interface WatchEvent {
  readonly type: string;
  readonly object: StoredObject;
}

/** Requests in flight of every bare loop, and connections of its pool. */
export const IN_FLIGHT = 32;

/** Objects of one answer to a list, and that one request deletes: the API server ends those that take more than a minute. */
const PAGE = 500;

/** Connects with the administrator's certificate. */
export const connectApiServer = (kubeconfigPath: string): ApiServer => {
  const { server, ca, client } = readKubeconfig(kubeconfigPath);
  const tls = { ca, cert: client.certificate, key: client.key };
  const pool = new Pool(server, { connections: IN_FLIGHT, connect: tls });
  const watches = new Pool(server, { connect: tls, bodyTimeout: 0 });
  const call = async (
    method: 'GET' | 'POST' | 'PUT' | 'DELETE',
    path: string,
    body?: object,
  ): Promise<StoredObject> => {
    const response = await pool.request({
      method,
      path,
      headers: { 'content-type': 'application/json', accept: 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const answer = (await response.body.json()) as StoredObject;
    if (response.statusCode >= 300)
      throw new Error(`${method} ${path}: ${response.statusCode} ${answer.message}`);
    return answer;
  };
  return {
    pool,
    write: call,
    get: (path) => call('GET', path),
    count: async (path) => {
      const { items, metadata } = await call('GET', `${path}?limit=1`);
      const { remainingItemCount = 0 } = metadata as { readonly remainingItemCount?: number };
      return items.length + remainingItemCount;
    },
    all: async (path) => {
      const items: StoredObject[] = [];
      let next: string | undefined = '';
      while (next !== undefined) {
        const page: StoredObject = await call(
          'GET',
          `${path}?limit=${PAGE}${next && `&continue=${encodeURIComponent(next)}`}`,
        );
        items.push(...page.items);
        next = (page.metadata as { continue?: string }).continue || undefined;
      }
      return items;
    },
    remove: async (path, { metadata: { name, uid, resourceVersion } }) => {
      await call('DELETE', `${path}/${name}`, {
        apiVersion: 'v1',
        kind: 'DeleteOptions',
        preconditions: { uid, resourceVersion },
        propagationPolicy: 'Background',
      });
    },
    empty: async (path) => {
      const isEmpty = async (): Promise<boolean> => {
        await call('DELETE', `${path}?limit=${PAGE}`);
        return (await call('GET', `${path}?limit=1`)).items.length === 0;
      };
      await eventually(isEmpty, { timeoutMs: 300_000, intervalMs: 0 });
    },
    watch: async (path, onEvent) => {
      let { resourceVersion } = (await call('GET', `${path}?limit=1`)).metadata;
      const abort = new AbortController();
      const take = (line: string): void => {
        const event = JSON.parse(line) as WatchEvent;
        if (event.type === 'ERROR') throw new Error(`watch ${path}: ${event.object.message}`);
        resourceVersion = event.object.metadata.resourceVersion;
        onEvent(event);
      };
      /** The API server ends a watch when it likes, as after a change of its CRD: it goes on where it was. */
      const follow = async (): Promise<void> => {
        const url = `${server}${path}?watch=1&resourceVersion=${resourceVersion}`;
        const response = await request(url, { dispatcher: watches, signal: abort.signal });
        const lines = createInterface({ input: response.body });
        lines.on('line', take);
        // After an error too, which the lines do not show.
        response.body.once('close', () => {
          if (!abort.signal.aborted) void eventually(follow, { timeoutMs: 30_000 });
        });
        // Calling the watch off ends both with an error.
        lines.on('error', () => undefined);
        response.body.on('error', () => undefined);
      };
      await follow();
      return () => abort.abort();
    },
    close: async () => {
      await pool.destroy();
      await watches.destroy();
    },
  };
};

/** Runs `work` for 0 … count-1 with {@link IN_FLIGHT} at a time; the wall-clock seconds that it took. */
export const timedLoop = async (count: number, work: (at: number) => Promise<void>): Promise<number> => {
  const start = performance.now();
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < count) {
      const at = next;
      next += 1;
      await work(at);
    }
  };
  await Promise.all(Array.from({ length: Math.min(IN_FLIGHT, count) }, worker));
  return (performance.now() - start) / 1000;
};
