import type { OverwrittenReason, TokenReason } from '../../api/conditions.ts';
import { type ConditionUpdate, findCondition, removeCondition, setCondition } from '../../api/meta.ts';
import { floorSeconds, formatTime } from '../../api/time.ts';
import type { Token, TokenStatus } from '../../api/token.ts';
import { canonicalJson } from '../canonical-json.ts';
import type { JwtContent } from '../jwt/claims.ts';
import { currentExpiration } from './declared-token.ts';
import { type IssueCause, validPrevious } from './issue-cause.ts';
import type { SecretRemoval, SecretWrite } from './secret-content.ts';
import { omitUndefined } from './token-jwt.ts';
import type { TokenObservation } from './token-observation.ts';

/** An Event about a Token; the recorder adds when and by whom. */
interface PlannedEvent {
  readonly type: 'Normal' | 'Warning';
  readonly reason: string;
  readonly action: string;
  readonly note: string;
}

/** What every plan has beside its writes. */
interface PlanNotes {
  /** When to reconcile again without a change, in milliseconds since the Unix epoch. */
  readonly requeueAt: number | undefined;
  /** The name of a Secret whose deletion or change the Token waits for. */
  readonly awaits: string | undefined;
  readonly events: readonly PlannedEvent[];
}

/** What one reconcile does for a Token. Every write is conditional on what the plan was made from (spec §2). */
export type TokenPlan =
  /** No write. */
  | ({ readonly kind: 'wait' } & PlanNotes)
  /** The next JWT was found in the Secret: record it in the status, then plan again. */
  | ({ readonly kind: 'adopt'; readonly status: TokenStatus } & PlanNotes)
  /** Write the Secret, with `jwt` or only its metadata; remove the Token's other Secrets; write the status. */
  | ({
      readonly kind: 'deliver';
      readonly cause: IssueCause | 'SecretFault';
      readonly write: SecretWrite;
      readonly jwt: (JwtContent & { readonly kid: string }) | undefined;
      readonly remove: readonly SecretRemoval[];
      readonly status: TokenStatus | undefined;
    } & PlanNotes)
  /** Write the status and remove Secrets, in that `order`. */
  | ({
      readonly kind: 'record';
      readonly order: 'StatusFirst' | 'SecretsFirst';
      readonly remove: readonly SecretRemoval[];
      readonly status: TokenStatus | undefined;
    } & PlanNotes)
  /** Delete the Token: its time to live is over. */
  | ({ readonly kind: 'collect' } & PlanNotes);

/** The conditions of a Token (spec §2.1); `Stalled` follows from `ready`. */
interface TokenConditions {
  readonly ready: {
    readonly status: 'True' | 'False';
    readonly reason: TokenReason;
    readonly message: string;
  };
  /** Why a renewal fails while the current JWT is still valid. */
  readonly renewing?: { readonly reason: TokenReason; readonly message: string } | undefined;
  /** Which fields of the Secret others keep changing. */
  readonly overwritten?: string | undefined;
}

/** The status that a plan leads to. */
export interface Outcome {
  readonly status: TokenStatus;
  readonly conditions: TokenConditions;
  /** When to reconcile again at the latest, in seconds since the Unix epoch; the earliest counts. */
  readonly requeueAtSeconds?: readonly (number | undefined)[];
  readonly awaits?: string | undefined;
}

/** Reasons that only a person can resolve (spec §2.1). */
const STALLED_REASONS: readonly TokenReason[] = ['Blacklisted', 'Expired', 'InvalidExpiration'];

const overwrittenCondition = (message: string) => {
  const reason: OverwrittenReason = 'FieldsChanged';
  return { status: 'True' as const, reason, message };
};

const withConditions = (
  status: TokenStatus,
  { ready, renewing, overwritten }: TokenConditions,
  at: { readonly nowSeconds: number; readonly generation: number },
): TokenStatus => {
  const stamp = { now: formatTime(at.nowSeconds), observedGeneration: at.generation };
  const { reason, message } = ready;
  const isStalled = ready.status === 'False' && STALLED_REASONS.includes(reason);
  const wanted: Readonly<Record<string, Omit<ConditionUpdate, 'type'> | undefined>> = {
    Ready: ready,
    Renewing: renewing && { status: 'False', ...renewing },
    Stalled: isStalled ? { status: 'True', reason, message } : undefined,
    SecretOverwritten: overwritten === undefined ? undefined : overwrittenCondition(overwritten),
  };
  let { conditions } = status;
  for (const [type, update] of Object.entries(wanted)) {
    conditions = update
      ? setCondition(conditions, { type, ...update }, stamp)
      : removeCondition(conditions, type);
  }
  return { ...status, observedGeneration: at.generation, conditions };
};

/**
 * The status to write, with the next `version`; undefined if the Token has it already apart from the version, since a write
 * that changes nothing is not made.
 */
export const nextStatus = ({ status = {} }: Token, wanted: TokenStatus): TokenStatus | undefined => {
  const { version: _wanted, ...after } = wanted;
  const { version = 0, ...before } = status;
  if (canonicalJson(after) === canonicalJson(before)) return undefined;
  return omitUndefined<TokenStatus>({ ...after, version: version + 1 });
};

/** A planned status for when a Secret could not be removed: `secretRef` keeps naming that Secret. */
export const statusDespiteSecret = (token: Token, planned: TokenStatus): TokenStatus | undefined => {
  const secretRef = token.status?.secretRef ?? planned.secretRef;
  return nextStatus(token, { ...planned, ...(secretRef && { secretRef }) });
};

/** A status with condition `SecretOverwritten`, in the place of a planned one if there is one; undefined if the Token has it already. */
export const statusOverwritten = (
  { token, now }: Pick<TokenObservation, 'token' | 'now'>,
  planned: TokenStatus | undefined,
  message: string,
): TokenStatus | undefined => {
  const status = planned ?? token.status ?? {};
  const at = { now: formatTime(floorSeconds(now)), observedGeneration: token.metadata.generation ?? 0 };
  const update = { type: 'SecretOverwritten', ...overwrittenCondition(message) };
  return nextStatus(token, { ...status, conditions: setCondition(status.conditions, update, at) });
};

const ACTIONS: Readonly<Record<string, string>> = { Blacklisted: 'Blacklist', Expired: 'Expire' };

const readyEvent = (before: TokenStatus, after: TokenStatus): PlannedEvent | undefined => {
  const was = findCondition(before.conditions, 'Ready');
  const is = findCondition(after.conditions, 'Ready');
  if (is?.status !== 'False' || (was?.status === is.status && was.reason === is.reason)) return undefined;
  const action = ACTIONS[is.reason];
  return {
    type: action === undefined ? 'Warning' : 'Normal',
    reason: is.reason,
    action: action ?? 'Issue',
    note: is.message,
  };
};

const renewingEvent = (before: TokenStatus, after: TokenStatus): PlannedEvent | undefined => {
  const was = findCondition(before.conditions, 'Renewing');
  const is = findCondition(after.conditions, 'Renewing');
  if (is === undefined || was?.reason === is.reason) return undefined;
  return { type: 'Warning', reason: is.reason, action: 'Renew', note: is.message };
};

/** The Event when others begin to change fields of the Secret again and again, or other fields. */
export const overwrittenEvent = (
  before: TokenStatus = {},
  after: TokenStatus | undefined,
): PlannedEvent | undefined => {
  const is = findCondition(after?.conditions, 'SecretOverwritten');
  if (is === undefined || findCondition(before.conditions, 'SecretOverwritten')?.message === is.message)
    return undefined;
  return { type: 'Warning', reason: 'SecretOverwritten', action: 'Repair', note: is.message };
};

/** One Event when a condition changes its reason, none while it lasts. */
const transitionEvents = (before: TokenStatus = {}, after: TokenStatus | undefined): PlannedEvent[] =>
  after === undefined
    ? []
    : [readyEvent(before, after), renewingEvent(before, after), overwrittenEvent(before, after)].filter(
        (event) => event !== undefined,
      );

const earliestMs = (seconds: readonly (number | undefined)[]): number | undefined => {
  const known = seconds.filter((second) => second !== undefined);
  return known.length > 0 ? Math.min(...known) * 1000 : undefined;
};

/** Entries of `status.previous` that are no longer valid are removed together with another change only: no write is made for them alone. */
const statusToWrite = (
  { token, now, keys }: TokenObservation,
  { status, conditions }: Outcome,
): TokenStatus | undefined => {
  const nowSeconds = floorSeconds(now);
  const at = { nowSeconds, generation: token.metadata.generation ?? 0 };
  const next = nextStatus(token, withConditions(status, conditions, at));
  if (next?.previous === undefined) return next;
  const { previous, ...rest } = next;
  const valid = validPrevious(previous, nowSeconds, (kid) => keys.phase(kid) === 'Compromised');
  return valid.length > 0 ? { ...rest, previous: valid } : rest;
};

/** The status to write for an outcome if it differs, the Events about the change, and when to reconcile again. */
export const settleOutcome = (
  observation: TokenObservation,
  outcome: Outcome,
): PlanNotes & { readonly status: TokenStatus | undefined } => {
  const status = statusToWrite(observation, outcome);
  return {
    status,
    events: transitionEvents(observation.token.status, status),
    requeueAt: earliestMs(outcome.requeueAtSeconds ?? []),
    awaits: outcome.awaits,
  };
};

/** The plan that records an outcome and removes Secrets; `wait` if there is nothing to write. */
export const planStatusUpdate = (
  observation: TokenObservation,
  outcome: Outcome,
  secrets: { readonly remove: readonly SecretRemoval[]; readonly order?: 'StatusFirst' | 'SecretsFirst' },
): TokenPlan => {
  const { status, ...notes } = settleOutcome(observation, outcome);
  if (status === undefined && secrets.remove.length === 0) return { kind: 'wait', ...notes };
  return { kind: 'record', order: secrets.order ?? 'SecretsFirst', remove: secrets.remove, status, ...notes };
};

/** A status without the fields that only a delivered JWT has: `secretRef` and `renewalTime`. */
export const withoutDelivery = (status: TokenStatus | undefined): TokenStatus => {
  const { secretRef: _secretRef, renewalTime: _renewalTime, ...rest } = status ?? {};
  return rest;
};

/** Whether the current JWT has expired; false if there is none. */
export const isExpired = ({ token, now }: TokenObservation): boolean => {
  const expiration = currentExpiration(token);
  return expiration !== undefined && expiration <= floorSeconds(now);
};

/** When the current JWT expires if it has not yet, in seconds since the Unix epoch: its Secret is removed then. */
export const upcomingExpiration = ({ token, now }: TokenObservation): number | undefined => {
  const expiration = currentExpiration(token);
  return expiration !== undefined && expiration > floorSeconds(now) ? expiration : undefined;
};
