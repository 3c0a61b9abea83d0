import { createHash } from 'node:crypto';
import { durationMs } from '../../api/duration.ts';
import type { TokenSpec } from '../../api/token.ts';

/** The soonest that a renewal may follow an issuance, in seconds (spec §2.1). */
const SOONEST = 30;

/** What a renewal time depends on; times in seconds since the Unix epoch. */
export interface RenewalInput {
  /** `metadata.uid`: the jitter is stable for the Token. */
  readonly uid: string;
  readonly spec: TokenSpec;
  /** When the JWT was signed: its `iat` without the backdate. */
  readonly signedAt: number;
  readonly expiresAt: number | undefined;
}

/** `Never` where an absolute expiration is asked for: a renewal could not move it. */
export const renewalPolicy = ({ expiration, renewal }: TokenSpec): 'Auto' | 'Never' =>
  expiration !== undefined ? 'Never' : (renewal?.policy ?? 'Auto');

/** A number in [0, 1) that is the same for the Token on every replica and at every time. */
const fractionOf = (uid: string): number =>
  createHash('sha256').update(`renewal ${uid}`).digest().readUInt32BE(0) / 2 ** 32;

/**
 * When the JWT is due, in whole seconds since the Unix epoch: signedAt + max(lifetime − renewBefore, lifetime/2), less a
 * jitter of at most lifetime/10, never sooner than 30 s after signing and never after expiry. The lifetime is the JWT's, or
 * `spec.lifetime` where that has become shorter. Undefined where nothing is to be renewed.
 */
export const renewalTimeOf = ({ uid, spec, signedAt, expiresAt }: RenewalInput): number | undefined => {
  if (renewalPolicy(spec) === 'Never' || expiresAt === undefined) return undefined;
  const asked = spec.lifetime === undefined ? Number.POSITIVE_INFINITY : durationMs(spec.lifetime) / 1000;
  const lifetime = Math.max(0, Math.min(expiresAt - signedAt, asked));
  const before =
    spec.renewal?.renewBefore === undefined ? lifetime / 3 : durationMs(spec.renewal.renewBefore) / 1000;
  const base = Math.max(lifetime - before, lifetime / 2) - (fractionOf(uid) * lifetime) / 10;
  return Math.min(expiresAt, signedAt + Math.ceil(Math.max(base, SOONEST)));
};
