import type { Log } from '../../ports/log.ts';
import type { Metrics } from '../../ports/metrics.ts';
import { type IssuerFailure, refused } from '../failure.ts';
import type { Attempt, FailureLimit } from './failure-limit.ts';

/** Why a client failed to authenticate; for the log and metrics only. */
export type FailureCause =
  | 'UnknownClient'
  | 'NoMethod'
  | 'WrongSecret'
  | 'AssertionMissing'
  | 'AssertionUnexpected'
  | 'AssertionInvalid'
  | 'AssertionReplayed'
  | 'AssertionTooOld';

/** Counts and logs failed client authentications, and makes the failure, which is the same for every cause but those of {@link AuthenticationFailures.reject}. */
export interface AuthenticationFailures {
  /** `detail` is fixed text without any part of the request. */
  fail(attempt: Attempt, cause: FailureCause, detail?: string): IssuerFailure;
  /** The failure of a client that has proved who it is, with its own message. It does not count towards the limit. */
  reject(attempt: Attempt, cause: FailureCause, message: string): IssuerFailure;
}

export interface AuthenticationFailuresOptions {
  readonly limit: FailureLimit;
  readonly log: Log;
  readonly metrics: Pick<Metrics, 'authenticationFailed'>;
}

const MAX_SHOWN = 64;

/** Quoted and shortened, so that a made-up client ID can't pass for something else in the log. */
const shown = (clientID: string): string =>
  JSON.stringify(clientID.length > MAX_SHOWN ? `${clientID.slice(0, MAX_SHOWN)}…` : clientID);

/** Makes {@link AuthenticationFailures}. */
export const createAuthenticationFailures = ({
  limit,
  log,
  metrics,
}: AuthenticationFailuresOptions): AuthenticationFailures => ({
  fail: (attempt, cause, detail) => {
    metrics.authenticationFailed(cause);
    const isWithin = limit.note(attempt);
    const fields = { client: shown(attempt.clientID), address: attempt.address, cause, detail };
    // A flood of attempts must not flood the log.
    if (isWithin) log.info('a client failed to authenticate', fields);
    else log.debug('a client failed to authenticate, beyond its limit', fields);
    const message = isWithin
      ? 'client authentication failed'
      : 'too many failed client authentications, try again later';
    return refused('invalid_client', message, detail);
  },
  reject: ({ clientID, address }, cause, message) => {
    metrics.authenticationFailed(cause);
    log.info('a client failed to authenticate', { client: shown(clientID), address, cause });
    return refused('invalid_client', message);
  },
});
