import type { LeaseSpec } from '../ports/lease.ts';

/** What is known of a Lease, and since when: other clocks are not trusted, so only our own times count. */
export interface LeaseObservation {
  readonly resourceVersion: string;
  readonly spec: LeaseSpec;
  /** Monotonic milliseconds at which this resourceVersion was first seen. */
  readonly since: number;
}

export type LeaseDecision =
  /** Another replica holds it, at least until then by our clock. */
  | { readonly kind: 'held'; readonly by: string; readonly untilMonotonic: number }
  /** Ours: renew it. */
  | { readonly kind: 'renew' }
  /** It has no holder, or was not renewed for its whole duration: try to acquire it. */
  | { readonly kind: 'acquire' };

/**
 * What to do about a Lease, after client-go's leaderelection: the holder is believed for leaseDurationSeconds (its
 * own) from when we first saw the record, whatever its renewTime says.
 */
export const planLease = (
  { spec, since }: LeaseObservation,
  identity: string,
  nowMonotonic: number,
): LeaseDecision => {
  const by = spec.holderIdentity ?? '';
  if (by === identity) return { kind: 'renew' };
  const untilMonotonic = since + (spec.leaseDurationSeconds ?? 0) * 1000;
  if (by === '' || untilMonotonic < nowMonotonic) return { kind: 'acquire' };
  return { kind: 'held', by, untilMonotonic };
};

/** Who takes or renews a Lease, and when. */
export interface LeaseClaim {
  readonly identity: string;
  readonly leaseDurationMs: number;
  /** MicroTime. */
  readonly now: string;
}

/** What others wrote into the record for the election's sake. */
const coordinationOf = ({ strategy, preferredHolder }: LeaseSpec): LeaseSpec => ({
  ...(strategy !== undefined && { strategy }),
  ...(preferredHolder !== undefined && { preferredHolder }),
});

/** The record to write: acquireTime and leaseTransitions move only when the holder does. */
export const buildLeaseSpec = (old: LeaseSpec | undefined, claim: LeaseClaim): LeaseSpec => {
  const isRenewal = old?.holderIdentity === claim.identity;
  return {
    ...coordinationOf(old ?? {}),
    holderIdentity: claim.identity,
    leaseDurationSeconds: Math.ceil(claim.leaseDurationMs / 1000),
    acquireTime: isRenewal ? (old.acquireTime ?? claim.now) : claim.now,
    renewTime: claim.now,
    leaseTransitions: (old?.leaseTransitions ?? 0) + (isRenewal || old === undefined ? 0 : 1),
  };
};

/** The record that lets the next candidate in at once: no holder, one second (client-go's release). */
export const buildReleasedSpec = (old: LeaseSpec, now: string): LeaseSpec => ({
  ...coordinationOf(old),
  holderIdentity: '',
  leaseDurationSeconds: 1,
  acquireTime: now,
  renewTime: now,
  leaseTransitions: old.leaseTransitions ?? 0,
});

/** MicroTime: client-go rejects a Lease whose times do not have six digits. */
export const microTime = (ms: number): string => new Date(ms).toISOString().replace('Z', '000Z');
