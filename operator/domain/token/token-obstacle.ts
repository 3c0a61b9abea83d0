import { findCondition, type TokenReason } from '../../api/conditions.ts';
import type { TokenStatus } from '../../api/token.ts';
import { floorSeconds, secondsOf } from '../timestamps.ts';
import { findIssueCause, type IssueCause } from './issue-cause.ts';
import { findSecretFault, type SecretFault, secretInPlace, secretNameOf } from './secret-plan.ts';
import { findIssueViolation } from './token-lifetime.ts';
import type { TokenObservation } from './token-observation.ts';
import type { PermittedObservation } from './token-policies.ts';

/** What the Token lacks: a JWT of a new number, the current one in its Secret, or labels there. */
export interface Drift {
  readonly cause: IssueCause | undefined;
  readonly fault: SecretFault;
}

/** Why the lack can't be made good now. */
export interface Blocker {
  readonly reason: TokenReason;
  readonly message: string;
  readonly awaits?: string | undefined;
  /** When time alone lifts it, in seconds since the Unix epoch. */
  readonly possibleAt?: number | undefined;
}

/** Bounds of the wait before a refused write is tried again, in seconds. */
const RETRY = { soonest: 15, latest: 600 } as const;

const faultInPlace = (observation: TokenObservation): SecretFault => {
  const secret = secretInPlace(observation);
  return secret?.owned && !secret.terminating ? findSecretFault(observation.token, secret) : 'Content';
};

/** What a Token that nothing forbids lacks: nothing where both are undefined. */
export const findDrift = (observation: PermittedObservation): Drift => {
  const cause = findIssueCause(observation);
  const fault = faultInPlace(observation);
  if (cause !== undefined || fault !== 'Content') return { cause, fault };
  const canSignAgain = observation.token.status?.keyID === observation.keys.activeKid;
  return { cause: canSignAgain ? undefined : 'SecretLost', fault };
};

/** What keeps a lack from being made good: something at the Secret's name, no key, a limit, or a write that failed in this pass. */
export const findBlocker = (observation: PermittedObservation, drift: Drift): Blocker | undefined => {
  const name = secretNameOf(observation.token);
  const inPlace = secretInPlace(observation);
  if (inPlace?.ofPredecessor) {
    return {
      reason: 'Issuing',
      message: `Secret "${name}" is of a deleted Token of this name: waiting for the garbage collector to remove it`,
      awaits: name,
    };
  }
  if (inPlace && !inPlace.owned) {
    return {
      reason: 'SecretConflict',
      message: `Secret "${name}" is not this Token's: delete it, or set another spec.secret.name`,
      awaits: name,
    };
  }
  if (inPlace?.terminating) {
    return {
      reason: 'Issuing',
      message: `Secret "${name}" is being deleted: waiting for it to go`,
      awaits: name,
    };
  }
  const violation = drift.cause === undefined ? undefined : findIssueViolation(observation);
  if (violation) return { reason: 'InvalidExpiration', ...violation };
  const needsSigner = drift.cause !== undefined || drift.fault === 'Content';
  if (needsSigner && observation.keys.activeKid === undefined) {
    return { reason: 'SigningKeyNotReady', message: 'the SigningKey of this issuer has no active key' };
  }
  return observation.failure;
};

/** What nothing tells the end of for sure. */
const RETRIED: readonly string[] = ['SecretRefused', 'SecretConflict', 'Issuing'] satisfies TokenReason[];
const isRetried = (reason: string | undefined): reason is TokenReason =>
  reason !== undefined && RETRIED.includes(reason);

const conditionsOf = (status: TokenStatus | undefined) =>
  ['Ready', 'Renewing'].map((type) => findCondition(status?.conditions, type));

/** The reason in a status that is tried again after a while, if there is one. */
export const retriedReasonOf = (status: TokenStatus | undefined): TokenReason | undefined =>
  conditionsOf(status)
    .map((condition) => condition?.reason)
    .find(isRetried);

/** The condition's time is as old as its status, not as its reason: good enough where nobody saw the reason begin. */
const beginOf = ({ token, blocker: known }: TokenObservation, { reason }: Blocker): number | undefined => {
  if (known?.reason === reason) return known.since;
  const condition = conditionsOf(token.status).find((one) => one?.reason === reason);
  return condition && secondsOf(condition.lastTransitionTime);
};

/** When to try again, in seconds since the Unix epoch: later the longer the obstacle lasts, so that a quota that stays is not knocked at for ever. */
export const retryTime = (observation: TokenObservation, blocker: Blocker): number | undefined => {
  if (!isRetried(blocker.reason)) return undefined;
  const nowSeconds = floorSeconds(observation.now);
  const lasted = nowSeconds - (beginOf(observation, blocker) ?? nowSeconds);
  return nowSeconds + Math.min(Math.max(lasted, RETRY.soonest), RETRY.latest);
};
