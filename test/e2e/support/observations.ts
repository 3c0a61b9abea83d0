import { eventually } from '../../support/eventually.ts';
import { type ClusterEnv, RELEASE, SYSTEM } from './cluster-env.ts';

const TEAM = 'team-a';

/** What the caller's Pod logs of its last call. */
export interface CallerLine {
  readonly jti?: string;
  readonly status?: number;
  readonly reason?: string;
  readonly sub?: string;
}

/** What the worker's Pod logs each second, and of each failure. */
export interface WorkerFigures {
  readonly created: number;
  readonly failed: number;
  readonly sub?: string;
  readonly failures: readonly string[];
}

const linesOf = async ({ kubectl }: ClusterEnv, pod: string): Promise<Record<string, unknown>[]> => {
  const text = await kubectl('--namespace', TEAM, 'logs', pod);
  return text
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as Record<string, unknown>);
};

/** Waits until the caller's last line is as wanted. @throws Error that shows the last one */
export const waitForCallerLine = (
  env: ClusterEnv,
  wanted: (line: CallerLine) => boolean,
): Promise<CallerLine> =>
  eventually(
    async () => {
      const line = ((await linesOf(env, 'caller')).at(-1) ?? {}) as CallerLine;
      if (!wanted(line)) throw new Error(`the caller logged ${JSON.stringify(line)}`);
      return line;
    },
    { timeoutMs: 120_000, intervalMs: 300 },
  );

/** The worker's figures now. */
export const workerFigures = async (env: ClusterEnv): Promise<WorkerFigures> => {
  const lines = await linesOf(env, 'worker');
  const last = (lines.findLast(({ created }) => created !== undefined) ?? {}) as Partial<WorkerFigures>;
  const failures = lines.filter(({ failure }) => failure !== undefined).map((line) => JSON.stringify(line));
  return { created: 0, failed: 0, ...last, failures };
};

/** Waits until the worker has created more tokens than `before`. */
export const waitForWorkerProgress = (env: ClusterEnv, before: number): Promise<WorkerFigures> =>
  eventually(
    async () => {
      const figures = await workerFigures(env);
      if (figures.created <= before) throw new Error(`the worker logged ${JSON.stringify(figures)}`);
      return figures;
    },
    { timeoutMs: 60_000, intervalMs: 500 },
  );

/** The Pod that holds the Lease; undefined while none does. */
export const leaderPod = async ({ kubectl }: ClusterEnv): Promise<string | undefined> => {
  const path = 'jsonpath={.spec.holderIdentity}';
  const holder = await kubectl('--namespace', SYSTEM, 'get', 'lease', RELEASE, '--output', path);
  return holder.split('_')[0] || undefined;
};

/** The names of the operator's Pods that are not on their way out. */
export const operatorPods = async ({ kubectl }: ClusterEnv): Promise<string[]> => {
  const selector = 'app.kubernetes.io/component=operator';
  const text = await kubectl(
    '--namespace',
    SYSTEM,
    'get',
    'pods',
    '--selector',
    selector,
    '--output',
    'json',
  );
  const { items } = JSON.parse(text) as {
    items: { metadata: { name: string; deletionTimestamp?: string } }[];
  };
  return items.filter(({ metadata }) => !metadata.deletionTimestamp).map(({ metadata }) => metadata.name);
};

/** A scrape of one Pod, by way of the API server. */
export const scrape = ({ kubectl }: ClusterEnv, pod: string): Promise<string> =>
  kubectl('get', '--raw', `/api/v1/namespaces/${SYSTEM}/pods/${pod}:9102/proxy/metrics`);
