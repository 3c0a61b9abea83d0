import type { KubeObject } from '../api/meta.ts';

/** `spec` of a coordination.k8s.io/v1 Lease; times are MicroTime (RFC 3339 with six digits). */
export interface LeaseSpec {
  readonly holderIdentity?: string;
  readonly leaseDurationSeconds?: number;
  readonly acquireTime?: string;
  readonly renewTime?: string;
  readonly leaseTransitions?: number;
  /** Of coordinated leader election (KEP-4355); not ours to decide. */
  readonly strategy?: string;
  readonly preferredHolder?: string;
}

/** What replicas agree by on who leads. */
export interface Lease extends KubeObject {
  readonly kind: 'Lease';
  readonly spec?: LeaseSpec;
}
