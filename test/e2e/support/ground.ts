import { type ClusterEnv, RELEASE, SYSTEM } from './cluster-env.ts';

export const CHART = 'charts/m2m-oauth-operator';
export const TEAM = 'team-a';
/** What `make image` calls it. */
export const IMAGE = 'm2m-oauth-operator:0.1.0';
export const inTeam = (...args: string[]) => ['--namespace', TEAM, ...args];
export const inSystem = (...args: string[]) => ['--namespace', SYSTEM, ...args];

/** @throws Error that says what is the case instead */
export const expect = (holds: boolean, otherwise: string): void => {
  if (!holds) throw new Error(otherwise);
};

/** helm upgrade with other values, until every replica is ready. */
export const upgradeWith = ({ helm }: ClusterEnv, ...values: string[]): Promise<string> =>
  helm(
    'upgrade',
    RELEASE,
    CHART,
    ...inSystem('--reuse-values', '--set', ...values, '--wait', '--timeout', '3m'),
  );

/** A Token of the caller's client. */
export const tokenManifest = (name: string): string => `
apiVersion: m2moauth.dev/v1alpha1
kind: Token
metadata: {name: ${name}, namespace: ${TEAM}}
spec:
  clientRef: {name: caller}
  audience: [https://api.example.com]
`;
