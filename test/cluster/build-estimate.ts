import type { BinaryName } from './binary-sources.ts';

/** Packages that several programs share, and that are compiled once. */
type SharedPackages = 'base' | 'client' | 'server' | 'controlPlane' | 'node' | 'kubectl';

interface BuildCost {
  /** CPU seconds of the packages that no other program has, and of the linker. */
  readonly own: number;
  readonly shares: readonly SharedPackages[];
}

/**
 * CPU seconds, measured with empty caches. The base is Go's library, gRPC and protobuf, the client client-go and the API
 * types; the others are Kubernetes' own packages.
 */
const SHARED: Readonly<Record<SharedPackages, number>> = {
  base: 30,
  client: 60,
  server: 125,
  controlPlane: 115,
  node: 65,
  kubectl: 7,
};

const SERVER = ['base', 'client', 'server'] as const;

const COSTS: Readonly<Record<BinaryName, BuildCost>> = {
  etcd: { own: 10, shares: ['base'] },
  'kube-apiserver': { own: 10, shares: [...SERVER, 'controlPlane'] },
  'kube-controller-manager': { own: 40, shares: [...SERVER, 'controlPlane', 'node'] },
  'kube-proxy': { own: 12, shares: SERVER },
  'kube-scheduler': { own: 10, shares: [...SERVER, 'node'] },
  kubectl: { own: 20, shares: ['base', 'client', 'kubectl'] },
  kubelet: { own: 28, shares: [...SERVER, 'node'] },
  coredns: { own: 12, shares: ['base', 'client'] },
  pause: { own: 1, shares: [] },
  alertrules: { own: 24, shares: ['base'] },
  helm: { own: 25, shares: ['base', 'client', 'kubectl'] },
  grpcurl: { own: 22, shares: ['base'] },
  m2mclient: { own: 10, shares: ['base'] },
  httpclient: { own: 3, shares: ['base'] },
  verifier: { own: 2, shares: ['base'] },
};

/** CPU seconds to build `names` together. What they share with `built` counts as compiled. */
export function estimateCpuSeconds(names: readonly BinaryName[], built: readonly BinaryName[] = []): number {
  const sharesOf = (list: readonly BinaryName[]) => new Set(list.flatMap((name) => COSTS[name].shares));
  const compiled = sharesOf(built);
  const shared = [...sharesOf(names)].filter((packages) => !compiled.has(packages));
  const own = names.reduce((sum, name) => sum + COSTS[name].own, 0);
  return shared.reduce((sum, packages) => sum + SHARED[packages], own);
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
