/** The operator under attack, as attackers and honest clients reach it. Serializable: it is sent to the attacker's process. */
export interface Target {
  /** Ports on 127.0.0.1; `probes` is the ops port where a revision has no listener for probes. */
  readonly ports: {
    readonly grpc: number;
    readonly http: number;
    readonly ops: number;
    readonly probes: number;
  };
  /** A valid token of {@link LISTED_OWNER}, who has thousands of records. */
  readonly listedJwt: string;
  /** Of an administrator of the control plane, for tenants. */
  readonly kubeconfigPath: string;
}

export type Listener = keyof Target['ports'];

/** Where everything listens. */
export const HOST = '127.0.0.1';

/** The address from which the honest client calls; attackers have {@link attackerAddress}. */
export const HONEST_ADDRESS = '127.0.0.1';
/** The address from which probes come, as from the kubelet. */
export const PROBER_ADDRESS = '127.0.1.1';

/** Attackers' addresses, by number. */
export const attackerAddress = (number: number): string => `127.0.2.${number + 1}`;

/** The base path of the HTTP endpoints. */
export const BASE = '/m2m-oauth-server';

/** The owner, the client and the clientID that have the long list. */
export const LISTED_OWNER = 'listed';
/** A client that is attacked by name. */
export const VICTIM = 'victim';
/** A client that floods with its own valid secret. */
export const GREEDY = 'greedy';

/** A tenant, as the API server knows it, and its namespace. */
export const TENANT = 'tenant';
export const TENANT_NAMESPACE = 'tenant';
