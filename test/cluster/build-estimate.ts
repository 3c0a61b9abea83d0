import type { BinaryName } from './binary-sources.ts';

/** Packages that several programs share, and that are compiled once. */
type SharedPackages = 'base' | 'client' | 'server' | 'kubectl' | 'node';

interface BuildCost {
  /** CPU seconds of the packages that no other program has, and of the linker. */
  readonly own: number;
  readonly shares: readonly SharedPackages[];
}

/**
 * CPU seconds, measured with empty caches (docs/decisions/0018-one-go-module.md): Go's library, gRPC and protobuf are
 * the base; client has client-go and the API types, server what Kubernetes' servers share.
 */
const SHARED: Readonly<Record<SharedPackages, number>> = {
  base: 60,
  client: 170,
  server: 260,
  kubectl: 40,
  node: 30,
};

const COSTS: Readonly<Record<BinaryName, BuildCost>> = {
  etcd: { own: 25, shares: ['base'] },
  'kube-apiserver': { own: 80, shares: ['base', 'client', 'server'] },
  'kube-controller-manager': { own: 60, shares: ['base', 'client', 'server', 'node'] },
  'kube-proxy': { own: 20, shares: ['base', 'client', 'server'] },
  'kube-scheduler': { own: 10, shares: ['base', 'client', 'server', 'node'] },
  kubectl: { own: 10, shares: ['base', 'client', 'kubectl'] },
  kubelet: { own: 30, shares: ['base', 'client', 'server', 'node'] },
  coredns: { own: 30, shares: ['base', 'client'] },
  pause: { own: 2, shares: [] },
  alertrules: { own: 70, shares: ['base', 'client'] },
  helm: { own: 60, shares: ['base', 'client', 'kubectl'] },
  grpcurl: { own: 70, shares: ['base'] },
  m2mclient: { own: 10, shares: ['base'] },
  httpclient: { own: 5, shares: ['base'] },
  verifier: { own: 2, shares: ['base'] },
};

/** CPU seconds to build `names` together, if nothing that they need is compiled yet. */
export function estimateCpuSeconds(names: readonly BinaryName[]): number {
  const shared = new Set(names.flatMap((name) => COSTS[name].shares));
  const own = names.reduce((sum, name) => sum + COSTS[name].own, 0);
  return [...shared].reduce((sum, packages) => sum + SHARED[packages], own);
}

/** How far a build is. */
export interface BuildState {
  readonly compiled: number;
  /** Packages that it may have to compile; undefined until it is known. */
  readonly total: number | undefined;
  /** How long it takes from nothing, as far as is known beforehand. */
  readonly expectedSeconds: number;
}

/**
 * Seconds that remain: at first by what is known beforehand, then more and more by the pace so far. Undefined while
 * the estimate is used up.
 */
export function remainingSeconds(
  { compiled, total, expectedSeconds }: BuildState,
  elapsedSeconds: number,
): number | undefined {
  const done = total ? Math.min(compiled / total, 1) : 0;
  const byPace = done > 0 ? elapsedSeconds / done : expectedSeconds;
  const remaining = (1 - done) * expectedSeconds + done * byPace - elapsedSeconds;
  return remaining > 0 ? remaining : undefined;
}

/** Describes how far a build is that starts now: `3m10s, about 2 min left`. */
export function describeBuild(state: () => BuildState, now = () => performance.now()): () => string {
  const startedAt = now();
  return () => {
    const elapsed = (now() - startedAt) / 1000;
    const remaining = remainingSeconds(state(), elapsed);
    const left = remaining === undefined ? 'not long now' : `about ${roughly(remaining)} left`;
    return `${formatSeconds(elapsed)}, ${left}`;
  };
}

function roughly(seconds: number): string {
  return seconds < 50
    ? `${Math.max(10, Math.round(seconds / 10) * 10)} s`
    : `${Math.round(seconds / 60)} min`;
}

/** `3m07s` */
export function formatSeconds(seconds: number): string {
  const whole = Math.round(seconds);
  return `${Math.floor(whole / 60)}m${String(whole % 60).padStart(2, '0')}s`;
}
