import type { LogFields } from '../ports/log.ts';

/** OAuth's word for a refused token request (RFC 6749 §5.2; RFC 8707 §2 for `invalid_target`). */
export type OAuthErrorCode =
  | 'invalid_client'
  | 'invalid_request'
  | 'invalid_scope'
  | 'invalid_target'
  | 'unauthorized_client'
  | 'unsupported_grant_type';

/**
 * Why a call at a door came to nothing. `Refused`: a token request that the rules are against (with its OAuth code).
 * `BearerInvalid`: no bearer, or none that is good. `OwnerMissing`: a good bearer without the owner claim. `Malformed`:
 * beyond a limit of size, depth or form. `Unavailable`: the API server or an issuer can't be asked. `Exhausted`: a quota,
 * a size or a limit on attempts.
 */
export type FailureCode =
  | 'Refused'
  | 'BearerInvalid'
  | 'OwnerMissing'
  | 'Malformed'
  | 'Unavailable'
  | 'Exhausted';

/** What a use case throws. `message` is fixed text that any stranger may read; `cause` and `detail` are for the log. */
export class IssuerFailure extends Error {
  override readonly name = 'IssuerFailure';
  readonly code: FailureCode;
  /** With `Refused` alone. */
  readonly oauthCode: OAuthErrorCode | undefined;
  /** For the log: names and reasons, never a secret. */
  readonly detail: string | undefined;

  constructor(
    code: FailureCode,
    message: string,
    more: { oauthCode?: OAuthErrorCode; detail?: string | undefined; cause?: unknown } = {},
  ) {
    super(message, more.cause === undefined ? undefined : { cause: more.cause });
    this.code = code;
    this.oauthCode = more.oauthCode;
    this.detail = more.detail;
  }
}

/** A token request refused, with the OAuth code that says why. */
export const refused = (oauthCode: OAuthErrorCode, message: string, detail?: string): IssuerFailure =>
  new IssuerFailure('Refused', message, { oauthCode, detail });

/** For the log alone: what a failure's message does not say; of anything else that was thrown, the error itself. */
export const whyOf = (failure: unknown): LogFields => {
  if (!(failure instanceof IssuerFailure)) return { error: failure };
  const { code, message, oauthCode, detail, cause } = failure;
  return {
    failure: code,
    why: message,
    ...(oauthCode !== undefined && { reason: oauthCode }),
    ...(detail !== undefined && { detail }),
    ...(cause !== undefined && { error: cause }),
  };
};

/** The caller is gone, or its deadline has passed; the answer is unlikely to be read. */
export const calledOff = (): IssuerFailure =>
  new IssuerFailure('Unavailable', 'the call was ended before it was done');

/** What a semaphore of the issuer rejects with. */
export const SEMAPHORE_ERRORS = {
  full: () => new IssuerFailure('Exhausted', 'too much is asked for at the moment, try again later'),
  aborted: calledOff,
};
