import { ClusterError } from './cluster-error.ts';

/** How programs of the control plane are obtained that the machine lacks. */
export type ControlPlaneWay = 'download' | 'source';

/**
 * The way that CONTROL_PLANE chooses, or undefined if it leaves the choice open.
 * @throws ClusterError for a value that names no way.
 */
export function controlPlaneWay(env: NodeJS.ProcessEnv): ControlPlaneWay | undefined {
  const value = env.CONTROL_PLANE;
  if (!value) return undefined;
  if (value === 'download' || value === 'source') return value;
  throw new ClusterError(
    `CONTROL_PLANE is '${value}'. It takes 'download' (official release binaries) or 'source' (built with Go); ` +
      'unset, what is there is used, then a download is tried, then Go.',
  );
}
