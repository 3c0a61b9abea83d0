import type { TokenStatus } from '../../api/token.ts';
import type { JwtContent } from '../jwt/claims.ts';
import { floorSeconds } from '../timestamps.ts';
import type { IssueCause } from './issue-cause.ts';
import { prunePrevious } from './previous.ts';
import type { SecretRemoval, SecretWrite } from './secret-plan.ts';
import { type PlannedEvent, transitionEvents } from './token-events.ts';
import { currentExpiration, type TokenObservation } from './token-observation.ts';
import { nextStatus, type TokenConditions, withConditions } from './token-status.ts';

/** What every plan says beside what it does. */
interface PlanNotes {
  /** When to look again though nothing has changed, in milliseconds since the Unix epoch. */
  readonly requeueAt: number | undefined;
  /** The name of a Secret that is in the way: the Token waits for it to go. */
  readonly awaits: string | undefined;
  readonly events: readonly PlannedEvent[];
}

/** What one pass does for a Token. Every write is conditional on what the plan was made from. */
export type TokenPlan =
  /** Nothing to write. */
  | ({ readonly kind: 'wait' } & PlanNotes)
  /** A next issuance was found in the Secret: status, and nothing else, then plan again. */
  | ({ readonly kind: 'adopt'; readonly status: TokenStatus } & PlanNotes)
  /** The JWT goes into its Secret (or the Secret's labels are set right, where there is no `jwt`), other own Secrets go, then status. */
  | ({
      readonly kind: 'deliver';
      readonly cause: IssueCause | 'SecretFault';
      readonly write: SecretWrite;
      readonly jwt: (JwtContent & { readonly kid: string }) | undefined;
      readonly remove: readonly SecretRemoval[];
      readonly status: TokenStatus | undefined;
    } & PlanNotes)
  /** Status and the end of Secrets; a blacklisting is recorded before anything else. */
  | ({
      readonly kind: 'record';
      readonly order: 'StatusFirst' | 'SecretsFirst';
      readonly remove: readonly SecretRemoval[];
      readonly status: TokenStatus | undefined;
    } & PlanNotes)
  /** The Token is past its time to live. */
  | ({ readonly kind: 'collect' } & PlanNotes);

/** What becomes of a Token's status, and when to look again (seconds since the Unix epoch). */
export interface Outcome {
  readonly status: TokenStatus;
  readonly conditions: TokenConditions;
  readonly lookAgainAt?: readonly (number | undefined)[];
  readonly awaits?: string | undefined;
}

/** The earliest of some times in seconds, in milliseconds. */
const earliest = (seconds: readonly (number | undefined)[]): number | undefined => {
  const known = seconds.filter((second) => second !== undefined);
  return known.length > 0 ? Math.min(...known) * 1000 : undefined;
};

/** The status to be written for an outcome, if any; earlier JWTs that are no longer good leave only with another change. */
const statusFor = (
  { token, now, keys }: TokenObservation,
  { status, conditions }: Outcome,
): TokenStatus | undefined => {
  const nowSeconds = floorSeconds(now);
  const at = { nowSeconds, generation: token.metadata.generation ?? 0 };
  const next = nextStatus(token, withConditions(status, conditions, at));
  if (next?.previous === undefined) return next;
  const { previous, ...rest } = next;
  const good = prunePrevious(previous, nowSeconds, (kid) => keys.phase(kid) === 'Compromised');
  return good.length > 0 ? { ...rest, previous: good } : rest;
};

/** What an outcome comes to: the status where it differs, the Events of the change, the time to look again. */
export const settle = (
  observation: TokenObservation,
  outcome: Outcome,
): PlanNotes & { readonly status: TokenStatus | undefined } => {
  const status = statusFor(observation, outcome);
  return {
    status,
    events: transitionEvents(observation.token.status, status),
    requeueAt: earliest(outcome.lookAgainAt ?? []),
    awaits: outcome.awaits,
  };
};

/** A plan that records an outcome and removes Secrets; `wait` where there is nothing to do. */
export const planStatusUpdate = (
  observation: TokenObservation,
  outcome: Outcome,
  secrets: { readonly remove: readonly SecretRemoval[]; readonly order?: 'StatusFirst' | 'SecretsFirst' },
): TokenPlan => {
  const { status, ...notes } = settle(observation, outcome);
  if (status === undefined && secrets.remove.length === 0) return { kind: 'wait', ...notes };
  return { kind: 'record', order: secrets.order ?? 'SecretsFirst', remove: secrets.remove, status, ...notes };
};

/** A status without what only a deliverable JWT has. */
export const withoutDelivery = (status: TokenStatus | undefined): TokenStatus => {
  const { secretRef: _secretRef, renewalTime: _renewalTime, ...rest } = status ?? {};
  return rest;
};

/** When an unexpired current JWT expires, in seconds: its Secret is to be removed then. */
export const upcomingExpiration = ({ token, now }: TokenObservation): number | undefined => {
  const expiration = currentExpiration(token);
  return expiration !== undefined && expiration > floorSeconds(now) ? expiration : undefined;
};
