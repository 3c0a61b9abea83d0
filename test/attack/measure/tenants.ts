import { join } from 'node:path';
import { type BenchEnv, SYSTEM } from '../../bench/lib/bench-env.ts';
import { openFreshTokens } from '../../bench/lib/fresh-tokens.ts';
import { quantile } from '../../bench/lib/latency.ts';
import { peakMiBOf } from '../../bench/lib/processes.ts';
import { namespaceOf } from '../../support/api.ts';
import { applyObjects, readObjects } from '../../support/apply.ts';
import { eventually } from '../../support/eventually.ts';
import type { Check, Scene } from '../attack.ts';
import { TENANT, TENANT_NAMESPACE } from '../lib/target.ts';
import type { Replica } from './replica.ts';

/** What tenants need, and what they are measured by. */

const RBAC = 'rbac.authorization.k8s.io';

/** Makes the tenant, who may do with Tokens of one namespace whatever edit allows. */
export const makeTenant = async ({ api }: BenchEnv): Promise<void> => {
  const metadata = { name: TENANT, namespace: TENANT_NAMESPACE };
  const rule = {
    apiGroups: ['m2moauth.dev'],
    resources: ['tokens'],
    verbs: ['get', 'list', 'create', 'patch'],
  };
  await applyObjects(api, [
    namespaceOf(TENANT_NAMESPACE),
    { apiVersion: `${RBAC}/v1`, kind: 'Role', metadata, rules: [rule] },
    {
      apiVersion: `${RBAC}/v1`,
      kind: 'RoleBinding',
      metadata,
      roleRef: { apiGroup: RBAC, kind: 'Role', name: TENANT },
      subjects: [{ apiGroup: RBAC, kind: 'User', name: TENANT }],
    },
  ]);
};

const PRIORITY_KINDS = new Set(['FlowSchema', 'PriorityLevelConfiguration']);

/** Gives the operator the priority at the API server that its chart gives it, which the chart's tests keep as rendered. */
export const applyPriority = async ({ api }: BenchEnv, root: string): Promise<void> => {
  const rendered = await readObjects([join(root, 'test/integration/chart/defaults.golden.yaml')]);
  const priority = rendered.filter(({ kind }) => PRIORITY_KINDS.has(kind));
  await applyObjects(api, priority, { namespace: SYSTEM });
};

/** The p99 to Ready of a Token of another namespace, in milliseconds. */
const MOST_READY_MS = 1000;

/** Makes Tokens in another namespace, one after the other, while a tenant attacks. */
export const checkOthersReady = async ({ env }: Scene, signal: AbortSignal): Promise<readonly Check[]> => {
  const fresh = await openFreshTokens(env);
  try {
    do await fresh.make();
    while (!signal.aborted);
  } finally {
    fresh.stop();
  }
  const sorted = fresh.readyAfterMs.toSorted((a, b) => a - b);
  const p99Ms = quantile(sorted, 0.99);
  return [
    {
      bound: `another Token is Ready within ${MOST_READY_MS} ms at p99`,
      holds: p99Ms <= MOST_READY_MS,
      found: `other Tokens Ready after p50 ${quantile(sorted, 0.5).toFixed(0)}, p99 ${p99Ms.toFixed(0)} ms of ${sorted.length}`,
      isTime: true,
    },
  ];
};

const MOST_GROWTH_MIB = 20;
const MOST_PEAK_MIB = 400;
const MIB = 1024 * 1024;
const RECEIVED_MS = 60_000;

const cachedTokens = ({ process }: Replica): Promise<number> =>
  process.metric('m2moauth_cached_objects{resource="tokens"}');

/** Waits until both replicas have as many Tokens, or one has ended. @returns whether both live */
const haveSameTokens = async (a: Replica, b: Replica): Promise<boolean> => {
  const live = (): boolean => !a.ended.aborted && !b.ended.aborted;
  const settle = async (): Promise<void> => {
    if (!live()) return;
    const [one, other] = [await cachedTokens(a), await cachedTokens(b)];
    if (one !== other) throw new Error(`one replica has ${one} Tokens, the other ${other}`);
  };
  await eventually(settle, { timeoutMs: RECEIVED_MS });
  return live();
};

/** Whether what a replica keeps of Tokens grows with what their annotations say, and whether a replica that starts can list them. */
export const checkGrowth = async (scene: Scene, signal: AbortSignal): Promise<readonly Check[]> => {
  const { replica } = scene;
  const before = await replica.retainedBytes();
  await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
  const began = performance.now();
  const next = await scene.startAnother();
  const seconds = (performance.now() - began) / 1000;
  if (!(await haveSameTokens(replica, next))) {
    return [{ bound: 'replicas list large Tokens', holds: false, found: 'a replica ended' }];
  }
  const growth = ((await replica.retainedBytes()) - before) / MIB;
  const peakMiB = await peakMiBOf(next.process.pid);
  await next.stop();
  return [
    {
      bound: `grows by < ${MOST_GROWTH_MIB} MiB`,
      holds: growth < MOST_GROWTH_MIB,
      found: `grew by ${growth.toFixed(0)} MiB`,
    },
    {
      bound: `a replica that starts stays < ${MOST_PEAK_MIB} MiB`,
      holds: peakMiB < MOST_PEAK_MIB,
      found: `another replica was ready after ${seconds.toFixed(0)} s, at most ${peakMiB.toFixed(0)} MiB`,
    },
  ];
};
