import { setTimeout as pause } from 'node:timers/promises';
import type { BenchEnv } from '../../bench/lib/bench-env.ts';
import { SYSTEM } from '../../bench/lib/bench-env.ts';

/** What became of the Lease. */
export interface LeaseRound {
  /** Whether the same replica held it all the time, and renewed it before it ran out. */
  readonly isKept: boolean;
  /** The longest time that it was seen without a renewal. */
  readonly oldestMs: number;
}

interface Held {
  readonly holder: string;
  readonly transitions: number;
  readonly renewedAt: string;
}

const LOOK_MS = 500;
const PATH = `/apis/coordination.k8s.io/v1/namespaces/${SYSTEM}/leases`;
/** `leaderElection.leaseDuration`, as it is by default. */
const DURATION_MS = 15_000;

const read = async ({ server }: BenchEnv): Promise<Held> => {
  const { items } = await server.get(PATH);
  const [lease] = items;
  const { holderIdentity = '', leaseTransitions = 0, renewTime = '' } = lease?.spec ?? {};
  return { holder: holderIdentity, transitions: leaseTransitions, renewedAt: renewTime };
};

/** Watches the Lease until the signal aborts. Its age is counted by this process from when a renewal was seen, whatever the clocks say. */
export const watchLease = async (env: BenchEnv, signal: AbortSignal): Promise<LeaseRound> => {
  const first = await read(env);
  let last = first;
  let seenAt = performance.now();
  let oldestMs = 0;
  let isSame = true;
  const look = async (): Promise<void> => {
    // A busy API server may reject this; what was renewed meanwhile shows at the next look.
    const now = await read(env).catch(() => last);
    isSame &&= now.holder === first.holder && now.transitions === first.transitions;
    oldestMs = Math.max(oldestMs, performance.now() - seenAt);
    if (now.renewedAt !== last.renewedAt) seenAt = performance.now();
    last = now;
  };
  while (!signal.aborted) {
    await pause(LOOK_MS, undefined, { signal }).catch(() => undefined);
    await look();
  }
  return { isKept: isSame && oldestMs < DURATION_MS, oldestMs };
};
