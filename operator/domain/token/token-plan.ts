import { floorSeconds, formatTime, secondsOf } from '../timestamps.ts';
import { isFinallyExpired } from './issue-cause.ts';
import { planRemovals } from './secret-plan.ts';
import { adoptedStatus } from './token-adoption.ts';
import { planDelivery } from './token-delivery.ts';
import { currentExpiration, isExpired, type TokenObservation } from './token-observation.ts';
import { planStatusUpdate, type TokenPlan, upcomingExpiration, withoutDelivery } from './token-outcome.ts';
import { permit, type Refusal } from './token-policies.ts';
import { nextStatus } from './token-status.ts';

/** Whether the Token is revoked, recorded or only asked for: both count (spec §2.1). */
export const isBlacklisted = ({ token }: Pick<TokenObservation, 'token'>): boolean =>
  token.status?.blacklisted?.flag === true || token.spec.revoked === true;

/** When an ended Token is to be deleted, in seconds: so long after its last good JWT; undefined where it is kept. */
const collectionTime = ({ token }: TokenObservation): number | undefined => {
  const expiration = currentExpiration(token);
  const { ttlSecondsAfterExpired } = token.spec;
  if (expiration === undefined || ttlSecondsAfterExpired === undefined) return undefined;
  const previous = (token.status?.previous ?? []).map((entry) => secondsOf(entry.expiration));
  return Math.max(expiration, ...previous) + ttlSecondsAfterExpired;
};

const planCollection = (observation: TokenObservation): TokenPlan | undefined => {
  const ended = isFinallyExpired(observation) || (isBlacklisted(observation) && isExpired(observation));
  const at = collectionTime(observation);
  if (!ended || at === undefined || at > floorSeconds(observation.now)) return undefined;
  const note = `expired at ${observation.token.status?.expiration}, past its time to live`;
  const event = { type: 'Normal', reason: 'Collected', action: 'Collect', note } as const;
  return { kind: 'collect', requeueAt: undefined, awaits: undefined, events: [event] };
};

/** The record comes first, unless only it still leads to a Secret that lost its label: a crash in between would forget that one. */
const planBlacklisting = (observation: TokenObservation): TokenPlan | undefined => {
  if (!isBlacklisted(observation)) return undefined;
  const { token, now } = observation;
  const recorded = token.status?.blacklisted;
  const blacklisted =
    recorded?.flag === true ? recorded : { flag: true, timestamp: formatTime(floorSeconds(now)) };
  const message = 'revoked, which can not be undone: make another Token';
  const remove = planRemovals(observation, undefined);
  const isAllSeen = remove.every(({ observed }) => observed !== undefined);
  return planStatusUpdate(
    observation,
    {
      status: { ...withoutDelivery(token.status), blacklisted },
      conditions: { ready: { status: 'False', reason: 'Blacklisted', message } },
      lookAgainAt: [collectionTime(observation)],
    },
    { order: isAllSeen ? 'StatusFirst' : 'SecretsFirst', remove },
  );
};

const planAdoption = (observation: TokenObservation): TokenPlan | undefined => {
  const adopted = adoptedStatus(observation);
  if (adopted === undefined) return undefined;
  const after = planCurrent({ ...observation, token: { ...observation.token, status: adopted } });
  // One write where nothing else is to be done; a Secret that is adopted from goes only after status knows what was in it.
  if (after.kind === 'record' && after.status !== undefined && after.remove.length === 0) return after;
  const status = nextStatus(observation.token, adopted) ?? adopted;
  return { kind: 'adopt', status, requeueAt: undefined, awaits: undefined, events: [] };
};

const planExpiry = (observation: TokenObservation): TokenPlan | undefined => {
  if (!isFinallyExpired(observation)) return undefined;
  const { status } = observation.token;
  const message = `the JWT expired at ${status?.expiration}: ask for a later spec.expiration, or for another JWT by the annotation m2moauth.dev/renew where there is none`;
  return planStatusUpdate(
    observation,
    {
      status: withoutDelivery(status),
      conditions: { ready: { status: 'False', reason: 'Expired', message } },
      lookAgainAt: [collectionTime(observation)],
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
      conditions: { ready: { status: 'False', reason, message } },
      lookAgainAt: [possibleAt, upcomingExpiration(observation)],
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
 * What to do for a Token (spec §2.1), from what was observed alone: the same observation gives the same plan, and what a plan
 * leads to plans to nothing. In this order: the end of an expired Token's time to live, blacklisting, adoption of a next issuance
 * that a crash left in the Secret, expiry, refusals of spec and client, delivery. A Token that is being deleted is left alone.
 */
export const planToken = (observation: TokenObservation): TokenPlan => {
  if (observation.token.metadata.deletionTimestamp !== undefined) {
    return { kind: 'wait', requeueAt: undefined, awaits: undefined, events: [] };
  }
  return (
    planCollection(observation) ??
    planBlacklisting(observation) ??
    planAdoption(observation) ??
    planCurrent(observation)
  );
};
