import type { Token, TokenStatus } from '../../api/token.ts';
import type { JwtContent } from '../jwt/claims.ts';
import { floorSeconds, formatTime, secondsOf } from '../timestamps.ts';
import { CAUSE_TRAITS, currentRenewalTime, type IssueCause, renewRequestOf } from './issue-cause.ts';
import { previousAfter } from './previous.ts';
import { planRemovals, planSecretWrite, secretInPlace, secretNameOf, wantedSecret } from './secret-plan.ts';
import { currentJwt, nextJwt } from './token-grant.ts';
import { isExpired, type TokenObservation } from './token-observation.ts';
import { type Blocker, type Drift, findBlocker, findDrift, retryTime } from './token-obstacle.ts';
import {
  planStatusUpdate,
  settle,
  type TokenPlan,
  upcomingExpiration,
  withoutDelivery,
} from './token-outcome.ts';
import type { PermittedObservation } from './token-policies.ts';
import { describeJwt } from './token-status.ts';

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

const planBlocked = (observation: PermittedObservation, drift: Drift, blocker: Blocker): TokenPlan => {
  const { token } = observation;
  const { reason, message, awaits } = blocker;
  const expired = isExpired(observation);
  const isCurrentValid =
    drift.fault === undefined &&
    !expired &&
    drift.cause !== undefined &&
    CAUSE_TRAITS[drift.cause].keepsCurrentValid;
  const lookAgainAt = [upcomingExpiration(observation), retryTime(observation, blocker), blocker.possibleAt];
  if (isCurrentValid) {
    const status = deliveredStatus(observation, token.status ?? {});
    const conditions = { ready: issuedCondition(token), renewing: { reason, message } };
    return planStatusUpdate(observation, { status, conditions, lookAgainAt, awaits }, { remove: [] });
  }
  const status = expired ? withoutDelivery(token.status) : (token.status ?? {});
  const conditions = { ready: { status: 'False' as const, reason, message } };
  const remove = expired ? planRemovals(observation, undefined) : [];
  return planStatusUpdate(observation, { status, conditions, lookAgainAt, awaits }, { remove });
};

const issuedCondition = (token: Token) => {
  const { name, dataKey } = wantedSecret(token, {});
  return {
    status: 'True' as const,
    reason: 'Issued' as const,
    message: `the JWT is in Secret "${name}", key "${dataKey}"`,
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
    keepsEarlier: before.clientUID === client.metadata.uid,
    isRefusedKey: (kid) => keys.phase(kid) === 'Compromised',
  });
  const handled = renewRequestOf({ token }) ?? before.lastHandledRenew;
  return deliveredStatus(observation, {
    ...describeJwt(jwt, { kid: jwt.kid, clientUID: client.metadata.uid, settings }),
    issuance: (before.issuance ?? 0) + 1,
    ...(previous.length > 0 && { previous }),
    ...(before.version !== undefined && { version: before.version }),
    ...(before.blacklisted && { blacklisted: before.blacklisted }),
    ...(before.conditions && { conditions: before.conditions }),
    ...(handled !== undefined && { lastHandledRenew: handled }),
  });
};

const deliveryEvent = (status: TokenStatus, cause: IssueCause | undefined) =>
  cause === undefined
    ? {
        type: 'Normal' as const,
        reason: 'SecretRepaired',
        action: 'Repair',
        note: `put JWT ${status.issuance} (${status.id}) back into Secret "${status.secretRef?.name}"`,
      }
    : {
        type: 'Normal' as const,
        reason: CAUSE_TRAITS[cause].outcome,
        action: 'Issue',
        note: `JWT ${status.issuance} (${status.id}) is in Secret "${status.secretRef?.name}": ${cause}`,
      };

const planWrite = (observation: PermittedObservation, { cause, fault }: Drift): TokenPlan => {
  const { token, keys } = observation;
  const content =
    cause !== undefined ? nextJwt(observation) : fault === 'Content' ? currentJwt(observation) : undefined;
  const jwt = content && keys.activeKid !== undefined ? { ...content, kid: keys.activeKid } : undefined;
  const base =
    cause !== undefined && jwt
      ? issuedStatus(observation, jwt, cause)
      : deliveredStatus(observation, token.status ?? {});
  const { status, events, ...notes } = settle(observation, {
    status: base,
    conditions: { ready: issuedCondition(token) },
    lookAgainAt: [lookAgainTime(base)],
  });
  return {
    kind: 'deliver',
    cause: cause ?? 'SecretFault',
    write: planSecretWrite(wantedSecret(token, base), secretInPlace(observation), jwt !== undefined),
    jwt,
    remove: planRemovals(observation, secretNameOf(token)),
    status,
    events: [...events, deliveryEvent(base, cause)],
    ...notes,
  };
};

const lookAgainTime = ({ renewalTime, expiration }: TokenStatus): number | undefined => {
  const time = renewalTime ?? expiration;
  return time === undefined ? undefined : secondsOf(time);
};

/** The plan for a Token that nothing forbids: issue, put back, move, or just say that all is well. */
export const planDelivery = (observation: PermittedObservation): TokenPlan => {
  const { token } = observation;
  const drift = findDrift(observation);
  if (drift.cause !== undefined || drift.fault !== undefined) {
    const blocker = findBlocker(observation, drift);
    return blocker ? planBlocked(observation, drift, blocker) : planWrite(observation, drift);
  }
  const status = deliveredStatus(observation, token.status ?? {});
  const conditions = { ready: issuedCondition(token) };
  const remove = planRemovals(observation, secretNameOf(token));
  return planStatusUpdate(
    observation,
    { status, conditions, lookAgainAt: [lookAgainTime(status)] },
    { remove },
  );
};
