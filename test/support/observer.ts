import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { Agent, request } from 'undici';
import { readKubeconfig } from '../cluster/kubeconfig.ts';
import type { KubeObject } from './api.ts';
import { collectionPath } from './resource-path.ts';

/** One thing that an observer saw; what it listed at its start or after a gap shows as ADDED. */
interface Sight {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED';
  readonly object: KubeObject;
}

/** A second pair of eyes on a collection: our own watch code has no part in it. */
export interface Observer {
  readonly sights: readonly Sight[];
  stop(): Promise<void>;
}

/** Follows a collection through resets and restarts of the API server until it is stopped; the first list is in when it returns. */
export const observe = async (
  kubeconfigPath: string,
  of: { apiVersion: string; kind: string; namespace: string },
): Promise<Observer> => {
  const { server, ca, client } = readKubeconfig(kubeconfigPath);
  const dispatcher = new Agent({
    connect: { ca, cert: client.certificate, key: client.key },
    bodyTimeout: 0,
  });
  const path = `${server}${collectionPath({ ...of, metadata: { namespace: of.namespace } })}`;
  const abort = new AbortController();
  const sights: Sight[] = [];
  const newest = new Map<string, string>();

  const take = (type: Sight['type'], object: KubeObject): void => {
    if (newest.get(object.metadata.uid) === object.metadata.resourceVersion && type !== 'DELETED') return;
    newest.set(object.metadata.uid, object.metadata.resourceVersion);
    sights.push({ type, object });
  };
  const list = async (): Promise<string> => {
    const { body } = await request(path, { dispatcher, signal: abort.signal });
    const answer = (await body.json()) as { metadata: { resourceVersion: string }; items: KubeObject[] };
    for (const item of answer.items) take('ADDED', { ...item, kind: of.kind, apiVersion: of.apiVersion });
    return answer.metadata.resourceVersion;
  };
  const watch = async (from: string): Promise<void> => {
    const { body } = await request(`${path}?watch=1&resourceVersion=${from}`, {
      dispatcher,
      signal: abort.signal,
    });
    for await (const line of createInterface({ input: body })) {
      const event = JSON.parse(line) as { type: string; object: KubeObject };
      if (event.type === 'ERROR') return;
      take(event.type as Sight['type'], event.object);
    }
  };
  const follow = async (first: string): Promise<void> => {
    let from: string | undefined = first;
    while (!abort.signal.aborted) {
      try {
        await watch(from ?? (await list()));
      } catch {
        await delay(100);
      }
      from = undefined;
    }
  };
  const following = follow(await list());
  return {
    sights,
    stop: async () => {
      abort.abort();
      await following;
      await dispatcher.destroy();
    },
  };
};
