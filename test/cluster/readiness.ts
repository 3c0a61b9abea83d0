import { readFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { Agent, request } from 'undici';
import { ClusterError } from './cluster-error.ts';
import { type Connection, readKubeconfig } from './kubeconfig.ts';
import { NODE } from './node/layout.ts';
import { binaryOf, type ClusterState, type Part, paths, readyUrl } from './parts.ts';

const limitMs = 120_000;
const intervalMs = 25;

interface Start {
  readonly part: Part;
  readonly dir: string;
  readonly state: ClusterState;
  readonly signal: AbortSignal | undefined;
  readonly isRunning: () => Promise<boolean>;
}

/**
 * Returns when a part answers on its health URL.
 * @throws ClusterError with the end of its log where it ends first or takes two minutes.
 */
export async function waitUntilReady({ part, dir, state, signal, isRunning }: Start): Promise<void> {
  const url = readyUrl[part](state);
  const connection = readKubeconfig(paths(dir).kubeconfig);
  const result = await poll(connection, signal, async (statusOf) => {
    if ((await statusOf(url)) === 200) return 'ready';
    return (await isRunning()) ? undefined : 'ended';
  });
  if (result === 'ready') return;
  const log = await readFile(paths(dir).log(part), 'utf8').catch(() => '');
  const what = result === 'ended' ? 'ended during its start' : `was not ready after ${limitMs / 1000} s`;
  throw new ClusterError(`${binaryOf[part]} ${what}; the end of its log:\n${tail(log, 20)}`);
}

/**
 * Returns when the controller manager has made the service account `default` of namespace `default`, hence works.
 * @throws ClusterError where that takes two minutes.
 */
export async function waitForDefaultServiceAccount(
  connection: Connection,
  signal: AbortSignal | undefined,
): Promise<void> {
  const url = `${connection.server}/api/v1/namespaces/default/serviceaccounts/default`;
  const found = await poll(
    connection,
    signal,
    async (statusOf) => (await statusOf(url)) === 200 || undefined,
  );
  if (!found) throw new ClusterError('kube-controller-manager did not create the default service account');
}

/**
 * Returns when the scheduler may put Pods on the node.
 * @throws ClusterError where that takes two minutes.
 */
export async function waitForNode(connection: Connection, signal: AbortSignal | undefined): Promise<void> {
  const url = `${connection.server}/api/v1/nodes/${NODE.name}`;
  const isReady = (text: string): boolean => {
    const { status } = JSON.parse(text) as { status: { conditions?: { type: string; status: string }[] } };
    return status.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') ?? false;
  };
  const found = await poll(connection, signal, async (_, bodyOf) => {
    const text = await bodyOf(url);
    return (text !== undefined && isReady(text)) || undefined;
  });
  if (!found) throw new ClusterError(`the node ${NODE.name} did not become ready`);
}

type BodyOf = (url: string) => Promise<string | undefined>;
type StatusOf = (url: string) => Promise<number | undefined>;

/** The first answer that isn't undefined, or undefined after the limit. */
async function poll<T>(
  { ca, client }: Connection,
  signal: AbortSignal | undefined,
  look: (statusOf: StatusOf, bodyOf: BodyOf) => Promise<T | undefined>,
): Promise<T | undefined> {
  const dispatcher = new Agent({ connect: { ca, cert: client.certificate, key: client.key } });
  const deadline = performance.now() + limitMs;
  const statusOf: StatusOf = async (url) => {
    try {
      const response = await request(url, { dispatcher, headersTimeout: 5000, bodyTimeout: 5000 });
      await response.body.dump();
      return response.statusCode;
    } catch {
      return undefined;
    }
  };
  const bodyOf: BodyOf = async (url) => {
    try {
      const response = await request(url, { dispatcher, headersTimeout: 5000, bodyTimeout: 5000 });
      const text = await response.body.text();
      return response.statusCode === 200 ? text : undefined;
    } catch {
      return undefined;
    }
  };
  try {
    while (performance.now() < deadline) {
      const answer = await look(statusOf, bodyOf);
      if (answer !== undefined) return answer;
      await delay(intervalMs, undefined, signal && { signal });
    }
    return undefined;
  } finally {
    await dispatcher.destroy();
  }
}

function tail(text: string, lines: number): string {
  return text.trimEnd().split('\n').slice(-lines).join('\n');
}
