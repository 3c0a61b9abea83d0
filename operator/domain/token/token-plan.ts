import { TOKEN_CLAIM } from '../../api/reserved-claims.ts';
import { floorSeconds, formatTime, secondsOf } from '../../api/time.ts';
import type { TokenStatus } from '../../api/token.ts';
import { typeOf } from '../jwt/claims.ts';
import { currentExpiration, isBlacklisted, nextTokenId, SECRET_ANNOTATIONS } from './declared-token.ts';
import {
  CAUSE_TRAITS,
  findIssueCause,
  isFinallyExpired,
  previousAfter,
  type Succession,
} from './issue-cause.ts';
import { planRemovals } from './secret-content.ts';
import { recordedOverwriting } from './secret-faults.ts';
import { planDelivery } from './token-delivery.ts';
import { statusOfJwt } from './token-jwt.ts';
import type { ObservedJwt, ObservedSecret, TokenObservation } from './token-observation.ts';
import { permit, type Refusal } from './token-policies.ts';
import {
  isExpired,
  nextStatus,
  planStatusUpdate,
  type TokenPlan,
  upcomingExpiration,
  withoutDelivery,
} from './token-status.ts';

/** When an expired Token is to be deleted, in seconds since the Unix epoch: after the expiry of its last JWT, previous ones included. */
const collectionTime = ({ token }: TokenObservation): number | undefined => {
  const expiration = currentExpiration(token);
  const { ttlSecondsAfterExpired } = token.spec;
  if (expiration === undefined || ttlSecondsAfterExpired === undefined) return undefined;
  const previous = (token.status?.previous ?? []).map((entry) => secondsOf(entry.expiration));
  return Math.max(expiration, ...previous) + ttlSecondsAfterExpired;
};

const planCollection = (observation: TokenObservation): TokenPlan | undefined => {
  const { token } = observation;
  const hasEnded = isFinallyExpired(observation) || (isBlacklisted(token) && isExpired(observation));
  const at = collectionTime(observation);
  if (!hasEnded || at === undefined || at > floorSeconds(observation.now)) return undefined;
  const note = `expired at ${token.status?.expiration}, and spec.ttlSecondsAfterExpired has passed`;
  const event = { type: 'Normal', reason: 'Collected', action: 'Collect', note } as const;
  return { kind: 'collect', requeueAt: undefined, awaits: undefined, events: [event] };
};

/**
 * The blacklisting is recorded before Secrets are removed, unless only `status.secretRef` still names one of them: that name
 * would be lost if the operator stopped between the two writes (spec §2.1).
 */
const planRevocation = (observation: TokenObservation): TokenPlan | undefined => {
  const { token, now } = observation;
  if (!isBlacklisted(token)) return undefined;
  const recorded = token.status?.blacklisted;
  const blacklisted =
    recorded?.flag === true ? recorded : { flag: true, timestamp: formatTime(floorSeconds(now)) };
  const message = 'the token is revoked, which is final: create another Token';
  const remove = planRemovals(observation, undefined);
  const isAllObserved = remove.every(({ observed }) => observed !== undefined);
  return planStatusUpdate(
    observation,
    {
      status: { ...withoutDelivery(token.status), blacklisted },
      conditions: { ready: { status: 'False', reason: 'Blacklisted', message } },
      requeueAtSeconds: [collectionTime(observation)],
    },
    { order: isAllObserved ? 'StatusFirst' : 'SecretsFirst', remove },
  );
};

const findNextJwt = ({
  token,
  secrets,
}: TokenObservation): { jwt: ObservedJwt; secret: ObservedSecret } | undefined => {
  const id = nextTokenId(token);
  const name = `${token.metadata.namespace}/${token.metadata.name}`;
  for (const secret of secrets) {
    if (!secret.owned) continue;
    const jwt = secret.jwts?.find(({ claims }) => claims.jti === id && claims[TOKEN_CLAIM] === name);
    if (jwt) return { jwt, secret };
  }
  return undefined;
};

const STRICTNESS: readonly Succession[] = ['Renewed', 'Changed', 'Dropped'];
const stricterOf = (a: Succession, b: Succession): Succession =>
  STRICTNESS.indexOf(a) > STRICTNESS.indexOf(b) ? a : b;

/** The cause of the interrupted issuance is unknown: the stricter of what its JWT shows and of what would be done now. */
const successionOf = (
  observation: TokenObservation,
  adopted: Pick<TokenStatus, 'clientUID' | 'claimsDigest'>,
): Succession => {
  const { token, keys } = observation;
  const before = token.status ?? {};
  if (before.clientUID !== adopted.clientUID || keys.phase(before.keyID ?? '') === 'Compromised')
    return 'Dropped';
  const shown = before.claimsDigest === adopted.claimsDigest ? 'Renewed' : 'Changed';
  const permission = permit(observation);
  const cause = permission.kind === 'permitted' ? findIssueCause(permission.observation) : undefined;
  return cause === undefined ? shown : stricterOf(shown, CAUSE_TRAITS[cause].succession);
};

/** The status with the next JWT as the current one; conditions and version are unchanged. Undefined if no Secret holds the next JWT. */
const adoptedStatus = (observation: TokenObservation): TokenStatus | undefined => {
  const found = findNextJwt(observation);
  if (found === undefined) return undefined;
  const { token, keys, settings, now } = observation;
  const before = token.status ?? {};
  const { jwt, secret } = found;
  const clientUID = secret.annotations[SECRET_ANNOTATIONS.clientUID] ?? '';
  const content = { typ: typeOf(jwt.claims, settings), claims: jwt.claims };
  const adopted = statusOfJwt(content, { kid: jwt.kid, clientUID, settings });
  const previous = previousAfter({
    status: before,
    succession: successionOf(observation, { clientUID, claimsDigest: adopted.claimsDigest }),
    overlap: token.spec.renewal?.overlap,
    nowSeconds: floorSeconds(now),
    keepsPrevious: before.clientUID === clientUID,
    isCompromised: (kid) => keys.phase(kid) === 'Compromised',
  });
  const handled = secret.annotations[SECRET_ANNOTATIONS.renew] ?? before.lastHandledRenew;
  return {
    ...adopted,
    issuance: (before.issuance ?? 0) + 1,
    ...(before.version !== undefined && { version: before.version }),
    ...(previous.length > 0 && { previous }),
    ...(before.conditions && { conditions: before.conditions }),
    ...(before.observedGeneration !== undefined && { observedGeneration: before.observedGeneration }),
    ...(handled !== undefined && { lastHandledRenew: handled }),
    // The Secret that the status names still has to be removed if spec.secret has changed.
    secretRef: before.secretRef ?? { name: secret.name },
  };
};

const planAdoption = (observation: TokenObservation): TokenPlan | undefined => {
  const adopted = adoptedStatus(observation);
  if (adopted === undefined) return undefined;
  const after = planCurrent({ ...observation, token: { ...observation.token, status: adopted } });
  // One status write is enough if nothing else is to be done. A Secret is removed only once the status has its JWT.
  if (after.kind === 'record' && after.status !== undefined && after.remove.length === 0) return after;
  const status = nextStatus(observation.token, adopted) ?? adopted;
  return { kind: 'adopt', status, requeueAt: undefined, awaits: undefined, events: [] };
};

const planExpiry = (observation: TokenObservation): TokenPlan | undefined => {
  if (!isFinallyExpired(observation)) return undefined;
  const { status, spec } = observation.token;
  const remedy =
    spec.expiration === undefined
      ? 'change the annotation m2moauth.dev/renew'
      : 'set a later spec.expiration';
  const message = `the JWT expired at ${status?.expiration}: for a new one, ${remedy}`;
  return planStatusUpdate(
    observation,
    {
      status: withoutDelivery(status),
      conditions: { ready: { status: 'False', reason: 'Expired', message } },
      requeueAtSeconds: [collectionTime(observation)],
    },
    { remove: planRemovals(observation, undefined) },
  );
};

const planRefusal = (observation: TokenObservation, refusal: Refusal): TokenPlan => {
  const { reason, message, possibleAt } = refusal;
  const { status } = observation.token;
  const expired = isExpired(observation);
  return planStatusUpdate(
    observation,
    {
      status: expired ? withoutDelivery(status) : (status ?? {}),
      conditions: {
        ready: { status: 'False', reason, message },
        overwritten: expired ? undefined : recordedOverwriting(observation.token),
      },
      requeueAtSeconds: [possibleAt, upcomingExpiration(observation)],
    },
    { remove: expired ? planRemovals(observation, undefined) : [] },
  );
};

const planCurrent = (observation: TokenObservation): TokenPlan => {
  const expiry = planExpiry(observation);
  if (expiry) return expiry;
  const permission = permit(observation);
  return permission.kind === 'permitted'
    ? planDelivery(permission.observation)
    : planRefusal(observation, permission.refusal);
};

/**
 * What to do for a Token (spec §2.1), as a pure function: the same observation gives the same plan, and once a plan is applied the
 * next one is `wait`. In this order: collection after the time to live, revocation, adoption of a JWT that an interrupted issuance
 * left in the Secret, expiry, refusal by spec or client, delivery. A Token that is being deleted is left alone.
 */
export const planToken = (observation: TokenObservation): TokenPlan => {
  if (observation.token.metadata.deletionTimestamp !== undefined) {
    return { kind: 'wait', requeueAt: undefined, awaits: undefined, events: [] };
  }
  return (
    planCollection(observation) ??
    planRevocation(observation) ??
    planAdoption(observation) ??
    planCurrent(observation)
  );
};
