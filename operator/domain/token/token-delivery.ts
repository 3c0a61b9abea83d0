import type { TokenReason } from '../../api/conditions.ts';
import { findCondition } from '../../api/meta.ts';
import { floorSeconds, formatTime, secondsOf } from '../../api/time.ts';
import type { Token, TokenStatus } from '../../api/token.ts';
import type { JwtContent } from '../jwt/claims.ts';
import { secretNameOf } from './declared-token.ts';
import {
  CAUSE_TRAITS,
  currentRenewalTime,
  findIssueCause,
  type IssueCause,
  isPaced,
  previousAfter,
  renewRequestOf,
} from './issue-cause.ts';
import {
  dataKeysOf,
  planRemovals,
  planSecretWrite,
  secretContentOf,
  secretInPlace,
} from './secret-content.ts';
import {
  findDeviations,
  findSecretFault,
  overwrittenMessage,
  recordedOverwriting,
  type SecretFault,
} from './secret-faults.ts';
import { currentJwt, nextJwt, statusOfJwt } from './token-jwt.ts';
import type { PermittedObservation, TokenObservation } from './token-observation.ts';
import { findIssueViolation } from './token-policies.ts';
import {
  isExpired,
  planStatusUpdate,
  settleOutcome,
  type TokenPlan,
  upcomingExpiration,
  withoutDelivery,
} from './token-status.ts';

/** How a Token differs from what its spec asks for: it needs a new JWT, or its Secret needs a repair. */
interface Drift {
  readonly cause: IssueCause | undefined;
  readonly fault: SecretFault;
}

/** Why a drift can't be corrected now. */
interface Blocker {
  readonly reason: TokenReason;
  readonly message: string;
  /** The name of the Secret that has to be deleted or changed first. */
  readonly awaits?: string | undefined;
  /** When the blocker ends without any change, in seconds since the Unix epoch. */
  readonly possibleAt?: number | undefined;
}

/** The interval between two attempts of a blocked write, in seconds (spec §2.1, SecretRefused). */
const RETRY_SECONDS = { shortest: 15, longest: 600 } as const;

const findDrift = (observation: PermittedObservation): Drift => {
  const { token, keys } = observation;
  const secret = secretInPlace(observation);
  const isUsable = secret?.owned && !secret.terminating;
  const fault = isUsable ? findSecretFault(token, secret) : 'Content';
  const cause = findIssueCause(observation);
  if (cause !== undefined || fault !== 'Content') return { cause, fault };
  const canSignAgain = token.status?.keyID === keys.activeKid;
  return { cause: canSignAgain ? undefined : 'SecretLost', fault };
};

const findSecretBlocker = (observation: PermittedObservation): Blocker | undefined => {
  const name = secretNameOf(observation.token);
  const inPlace = secretInPlace(observation);
  if (inPlace && !inPlace.owned && inPlace.controller === 'Predecessor') {
    const message = `Secret "${name}" belongs to a deleted Token of the same name: waiting for the garbage collector to delete it`;
    return { reason: 'Issuing', message, awaits: name };
  }
  if (inPlace && !inPlace.owned) {
    const message = `Secret "${name}" is not owned by this Token: delete it, or set another spec.secret.name`;
    return { reason: 'SecretConflict', message, awaits: name };
  }
  if (inPlace?.terminating) {
    const message = `Secret "${name}" is being deleted: waiting until it is gone`;
    return { reason: 'Issuing', message, awaits: name };
  }
  return undefined;
};

/** Which JWTs of one Token are issued at once, and then after what time (spec §2.1, Pacing). */
export const REISSUES = { burst: 5, refillMs: 10_000 } as const;

const PACED_MESSAGE = `this Token got ${REISSUES.burst} new JWTs in a short time: the next one follows within ${REISSUES.refillMs / 1000} s, with what spec and annotation ask for then`;

const findPace = (observation: PermittedObservation, cause: IssueCause | undefined): Blocker | undefined => {
  const { reissueAt } = observation;
  if (reissueAt === undefined || cause === undefined || !isPaced(observation, cause)) return undefined;
  return { reason: 'Issuing', message: PACED_MESSAGE, possibleAt: Math.ceil(reissueAt / 1000) };
};

const findBlocker = (observation: PermittedObservation, { cause, fault }: Drift): Blocker | undefined => {
  const secretBlocker = findSecretBlocker(observation);
  if (secretBlocker) return secretBlocker;
  const violation = cause === undefined ? undefined : findIssueViolation(observation);
  if (violation) return { reason: 'InvalidExpiration', ...violation };
  const needsSigner = cause !== undefined || fault === 'Content';
  if (needsSigner && observation.keys.activeKid === undefined) {
    return { reason: 'SigningKeyNotReady', message: 'the SigningKey of this issuer has no active key' };
  }
  return observation.failure ?? findPace(observation, cause);
};

/** Reasons whose end the operator may not be notified about: they are retried by time. */
const RETRIED: readonly string[] = ['SecretRefused', 'SecretConflict', 'Issuing'] satisfies TokenReason[];
const isRetried = (reason: string | undefined): reason is TokenReason =>
  reason !== undefined && RETRIED.includes(reason);

const conditionsOf = (status: TokenStatus | undefined) =>
  ['Ready', 'Renewing'].map((type) => findCondition(status?.conditions, type));

/** The reason in a status that is retried by time; undefined if it has none. */
export const retriedReasonOf = (status: TokenStatus | undefined): TokenReason | undefined =>
  conditionsOf(status)
    .map((condition) => condition?.reason)
    .find(isRetried);

/** `lastTransitionTime` may be earlier than the reason, since it changes with the status only: the estimate after a restart. */
const blockedSince = ({ token, blocker: known }: TokenObservation, reason: TokenReason) => {
  if (known?.reason === reason) return known.since;
  const condition = conditionsOf(token.status).find((one) => one?.reason === reason);
  return condition && secondsOf(condition.lastTransitionTime);
};

/** The next attempt is as far away as the blocker has lasted, within {@link RETRY_SECONDS}. Seconds since the Unix epoch. */
const retryTime = (observation: TokenObservation, { reason }: Blocker): number | undefined => {
  if (!isRetried(reason)) return undefined;
  const nowSeconds = floorSeconds(observation.now);
  const blockedSeconds = nowSeconds - (blockedSince(observation, reason) ?? nowSeconds);
  return nowSeconds + Math.min(Math.max(blockedSeconds, RETRY_SECONDS.shortest), RETRY_SECONDS.longest);
};

const issuedCondition = (token: Token) => ({
  status: 'True' as const,
  reason: 'Issued' as const,
  message: `the JWT is in Secret "${secretNameOf(token)}", key "${dataKeysOf(token).jwt}"`,
});

const deliveredStatus = (observation: TokenObservation, status: TokenStatus): TokenStatus => {
  const token: Token = { ...observation.token, status };
  const renewalTime = currentRenewalTime({ token, settings: observation.settings });
  const { renewalTime: _before, ...rest } = status;
  return {
    ...rest,
    ...(renewalTime !== undefined && { renewalTime: formatTime(renewalTime) }),
    secretRef: { name: secretNameOf(token) },
  };
};

const issuedStatus = (
  observation: PermittedObservation,
  jwt: JwtContent & { readonly kid: string },
  cause: IssueCause,
): TokenStatus => {
  const { token, client, keys, settings, now } = observation;
  const before = token.status ?? {};
  const previous = previousAfter({
    status: before,
    succession: CAUSE_TRAITS[cause].succession,
    overlap: token.spec.renewal?.overlap,
    nowSeconds: floorSeconds(now),
    keepsPrevious: before.clientUID === client.metadata.uid,
    isCompromised: (kid) => keys.phase(kid) === 'Compromised',
  });
  const handled = renewRequestOf({ token }) ?? before.lastHandledRenew;
  return deliveredStatus(observation, {
    ...statusOfJwt(jwt, { kid: jwt.kid, clientUID: client.metadata.uid, settings }),
    issuance: (before.issuance ?? 0) + 1,
    ...(previous.length > 0 && { previous }),
    ...(before.version !== undefined && { version: before.version }),
    ...(before.blacklisted && { blacklisted: before.blacklisted }),
    ...(before.conditions && { conditions: before.conditions }),
    ...(handled !== undefined && { lastHandledRenew: handled }),
  });
};

const planBlocked = (observation: PermittedObservation, drift: Drift, blocker: Blocker): TokenPlan => {
  const { token } = observation;
  const { reason, message, awaits } = blocker;
  const expired = isExpired(observation);
  const isCurrentValid =
    drift.fault === undefined &&
    !expired &&
    drift.cause !== undefined &&
    CAUSE_TRAITS[drift.cause].keepsCurrentValid;
  const requeueAtSeconds = [
    upcomingExpiration(observation),
    retryTime(observation, blocker),
    blocker.possibleAt,
  ];
  if (isCurrentValid) {
    const status = deliveredStatus(observation, token.status ?? {});
    const conditions = {
      ready: issuedCondition(token),
      renewing: { reason, message },
      overwritten: recordedOverwriting(token),
    };
    return planStatusUpdate(observation, { status, conditions, requeueAtSeconds, awaits }, { remove: [] });
  }
  const status = expired ? withoutDelivery(token.status) : (token.status ?? {});
  const overwritten = expired ? undefined : recordedOverwriting(token);
  const conditions = { ready: { status: 'False' as const, reason, message }, overwritten };
  const remove = expired ? planRemovals(observation, undefined) : [];
  return planStatusUpdate(observation, { status, conditions, requeueAtSeconds, awaits }, { remove });
};

const deliveryEvent = ({ issuance, id, secretRef }: TokenStatus, cause: IssueCause | undefined) => {
  const type = 'Normal' as const;
  return cause === undefined
    ? {
        type,
        reason: 'SecretRepaired',
        action: 'Repair',
        note: `restored JWT ${issuance} (${id}) in Secret "${secretRef?.name}"`,
      }
    : {
        type,
        reason: CAUSE_TRAITS[cause].outcome,
        action: 'Issue',
        note: `JWT ${issuance} (${id}) is in Secret "${secretRef?.name}": ${cause}`,
      };
};

const planWrite = (observation: PermittedObservation, { cause, fault }: Drift): TokenPlan => {
  const { token, keys } = observation;
  const content =
    cause !== undefined ? nextJwt(observation) : fault === 'Content' ? currentJwt(observation) : undefined;
  const jwt = content && keys.activeKid !== undefined ? { ...content, kid: keys.activeKid } : undefined;
  const delivered =
    cause !== undefined && jwt
      ? issuedStatus(observation, jwt, cause)
      : deliveredStatus(observation, token.status ?? {});
  const { status, events, ...notes } = settleOutcome(observation, {
    status: delivered,
    // Until the API server shows what it stored: then it goes, or names what was changed.
    conditions: { ready: issuedCondition(token), overwritten: recordedOverwriting(token) },
    requeueAtSeconds: [endOfCurrent(delivered)],
  });
  return {
    kind: 'deliver',
    cause: cause ?? 'SecretFault',
    write: planSecretWrite(secretContentOf(token, delivered), secretInPlace(observation), jwt !== undefined),
    jwt,
    remove: planRemovals(observation, secretNameOf(token)),
    status,
    events: [...events, deliveryEvent(delivered, cause)],
    ...notes,
  };
};

const secondsOfRepair = ({ repairAt }: TokenObservation): number | undefined =>
  repairAt === undefined ? undefined : Math.ceil(repairAt / 1000);

/** The fields of the Secret that others change, as far as they can be seen: the JWT if it is gone, which says more than the others. */
const fieldsOf = (observation: TokenObservation, fault: SecretFault): string[] => {
  const { token } = observation;
  if (fault === 'Content') return [`data["${dataKeysOf(token).jwt}"]`];
  const inPlace = secretInPlace(observation);
  return inPlace ? findDeviations(inPlace, secretContentOf(token, token.status ?? {})) : [];
};

const recordedReady = ({ status }: Token) => {
  const ready = findCondition(status?.conditions, 'Ready');
  return ready?.status === 'False'
    ? { status: ready.status, reason: ready.reason as TokenReason, message: ready.message }
    : undefined;
};

/** Others undo what the operator repairs: the status says so, and the JWT is restored at intervals (spec §2.1). Nothing else is. */
const planContested = (observation: PermittedObservation, { fault }: Drift): TokenPlan => {
  const { token } = observation;
  const overwritten = overwrittenMessage(secretNameOf(token), fieldsOf(observation, fault));
  const outcome = {
    status: token.status ?? {},
    conditions: { ready: recordedReady(token) ?? issuedCondition(token), overwritten },
    requeueAtSeconds: [secondsOfRepair(observation), upcomingExpiration(observation)],
  };
  return planStatusUpdate(observation, outcome, { remove: [] });
};

/** What the status says of others that change the Secret, once nothing is to be repaired: what they change now, or did a moment ago. */
const overwritingOf = (observation: TokenObservation): string | undefined => {
  const { token, repairAt } = observation;
  const fields = fieldsOf(observation, undefined);
  if (fields.length > 0) return overwrittenMessage(secretNameOf(token), fields);
  return repairAt === undefined ? undefined : recordedOverwriting(token);
};

const endOfCurrent = ({ renewalTime, expiration }: TokenStatus): number | undefined => {
  const time = renewalTime ?? expiration;
  return time === undefined ? undefined : secondsOf(time);
};

/** The plan for a Token that nothing forbids (spec §2.1): issue, repair or move its JWT, or only record that it is delivered. */
export const planDelivery = (observation: PermittedObservation): TokenPlan => {
  const { token } = observation;
  const drift = findDrift(observation);
  if (drift.cause !== undefined || drift.fault !== undefined) {
    const blocker = findBlocker(observation, drift);
    const isRepair = drift.cause === undefined && observation.repairAt !== undefined;
    if (!blocker && isRepair) return planContested(observation, drift);
    return blocker ? planBlocked(observation, drift, blocker) : planWrite(observation, drift);
  }
  const status = deliveredStatus(observation, token.status ?? {});
  const overwritten = overwritingOf(observation);
  const conditions = { ready: issuedCondition(token), overwritten };
  const remove = planRemovals(observation, secretNameOf(token));
  const requeueAtSeconds = [
    endOfCurrent(status),
    overwritten === undefined ? undefined : secondsOfRepair(observation),
  ];
  const outcome = { status, conditions, requeueAtSeconds };
  return planStatusUpdate(observation, outcome, { remove });
};
