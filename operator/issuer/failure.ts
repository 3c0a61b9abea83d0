import { isOverQuota, isTooLarge } from '../ports/kube.ts';
import type { LogFields } from '../ports/log.ts';

/** The OAuth error code of a rejected token request (RFC 6749 §5.2; RFC 8707 §2 for `invalid_target`). */
export type OAuthErrorCode =
  | 'invalid_client'
  | 'invalid_request'
  | 'invalid_scope'
  | 'invalid_target'
  | 'unauthorized_client'
  | 'unsupported_grant_type';

/** What is wrong with a bearer that was sent (RFC 6750 §3.1). */
export type BearerError = 'invalid_token' | 'insufficient_scope';

/**
 * Why a call failed. `Refused`: a rejected token request, with its OAuth code. `BearerInvalid`: the bearer is missing or not valid.
 * `OwnerMissing`: a valid bearer without the owner claim. `Malformed`: the request exceeds a limit of size, depth or form.
 * `Unavailable`: the API server or an external issuer can't be reached, or this replica can't know. `Exhausted`: a quota, a size, or
 * too many concurrent requests. `Limited`: the client has reached one of the limits on itself.
 */
export type FailureCode =
  | 'Refused'
  | 'BearerInvalid'
  | 'OwnerMissing'
  | 'Malformed'
  | 'Unavailable'
  | 'Exhausted'
  | 'Limited';

/** The error that use cases throw. `message` is fixed text that is sent to the caller; `cause` and `detail` are for the log. */
export class IssuerFailure extends Error {
  override readonly name = 'IssuerFailure';
  readonly code: FailureCode;
  /** Present with `Refused` only. */
  readonly oauthCode: OAuthErrorCode | undefined;
  /** With `BearerInvalid` only; undefined if there was no bearer. */
  readonly bearerError: BearerError | undefined;
  /** Names and reasons for the log, never a secret. */
  readonly detail: string | undefined;
  /** Whole seconds after which a retry may succeed, at least 1; undefined if nothing better than 1 is known. */
  readonly retryAfterSeconds: number | undefined;

  constructor(
    code: FailureCode,
    message: string,
    more: {
      oauthCode?: OAuthErrorCode;
      bearerError?: BearerError | undefined;
      detail?: string | undefined;
      cause?: unknown;
      retryAfterSeconds?: number;
    } = {},
  ) {
    super(message, more.cause === undefined ? undefined : { cause: more.cause });
    this.code = code;
    this.oauthCode = more.oauthCode;
    this.bearerError = more.bearerError;
    this.detail = more.detail;
    this.retryAfterSeconds = more.retryAfterSeconds;
  }
}

/** The failure of a rejected token request. `detail` is for the log. */
export const refused = (oauthCode: OAuthErrorCode, message: string, detail?: string): IssuerFailure =>
  new IssuerFailure('Refused', message, { oauthCode, detail });

/** Log fields of an error: those of an {@link IssuerFailure}, or the error itself. */
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

/** The failure of a call whose caller disconnected or whose deadline passed; it is unlikely to be read. */
export const calledOff = (): IssuerFailure =>
  new IssuerFailure('Unavailable', 'the call was ended before it was done');

/** The failure of a create of a record: `Exhausted` if a quota or the size forbids it, else `Unavailable`. */
export const recordFailure = (cause: unknown): IssuerFailure => {
  if (cause instanceof IssuerFailure) return cause;
  if (isOverQuota(cause)) {
    const message = "a quota of the client's namespace leaves no room for another token";
    return new IssuerFailure('Exhausted', message, { cause });
  }
  if (isTooLarge(cause))
    return new IssuerFailure('Exhausted', 'the token is too large to be recorded', { cause });
  return new IssuerFailure('Unavailable', 'the token can not be recorded now, try again later', { cause });
};
