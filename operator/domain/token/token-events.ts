import { findCondition } from '../../api/conditions.ts';
import type { TokenStatus } from '../../api/token.ts';

/** An Event about a Token, before it is known when and by whom it is recorded. */
export interface PlannedEvent {
  readonly type: 'Normal' | 'Warning';
  readonly reason: string;
  readonly action: string;
  readonly note: string;
}

const ACTIONS: Readonly<Record<string, string>> = { Blacklisted: 'Blacklist', Expired: 'Expire' };

const readyEvent = (before: TokenStatus, after: TokenStatus): PlannedEvent | undefined => {
  const was = findCondition(before.conditions, 'Ready');
  const is = findCondition(after.conditions, 'Ready');
  if (is === undefined || is.status !== 'False') return undefined;
  if (was?.status === is.status && was.reason === is.reason) return undefined;
  const action = ACTIONS[is.reason];
  return {
    type: action === undefined ? 'Warning' : 'Normal',
    reason: is.reason,
    action: action ?? 'Issue',
    note: is.message,
  };
};

const renewingEvent = (before: TokenStatus, after: TokenStatus): PlannedEvent | undefined => {
  const is = findCondition(after.conditions, 'Renewing');
  if (is === undefined || findCondition(before.conditions, 'Renewing')?.reason === is.reason)
    return undefined;
  return { type: 'Warning', reason: is.reason, action: 'Renew', note: is.message };
};

/** The Events that a status write is worth: a refusal or an end when it comes, not while it lasts. */
export const transitionEvents = (
  before: TokenStatus | undefined,
  after: TokenStatus | undefined,
): PlannedEvent[] =>
  after === undefined
    ? []
    : [readyEvent(before ?? {}, after), renewingEvent(before ?? {}, after)].filter(
        (event) => event !== undefined,
      );
