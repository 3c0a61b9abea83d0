import { IssuerFailure } from '../../issuer/failure.ts';
import { HttpFailure, retryAfter } from './http-failure.ts';
import type { ErrorFamily } from './route.ts';

/** RFC 6749 §5.2, and §4.1.2.1 for `server_error` and `temporarily_unavailable`. */
interface OAuthError {
  readonly status: number;
  readonly error: string;
  readonly description: string;
}

const ofFailure = ({ code, oauthCode = 'invalid_request', message }: IssuerFailure): OAuthError => {
  switch (code) {
    case 'Refused':
      return { status: oauthCode === 'invalid_client' ? 401 : 400, error: oauthCode, description: message };
    case 'BearerInvalid':
    case 'OwnerMissing':
    case 'Malformed':
      return { status: 400, error: 'invalid_request', description: message };
    case 'Unavailable':
    case 'Exhausted':
      return { status: 503, error: 'temporarily_unavailable', description: message };
    case 'Limited':
      return { status: 429, error: 'temporarily_unavailable', description: message };
  }
};

const errorOf = (failure: unknown): OAuthError => {
  if (failure instanceof IssuerFailure) return ofFailure(failure);
  if (failure instanceof HttpFailure) {
    const { status, message } = failure;
    const error = status < 500 ? 'invalid_request' : 'temporarily_unavailable';
    return { status, error, description: message };
  }
  return { status: 500, error: 'server_error', description: 'internal error' };
};

/** The challenge of a 401 (RFC 9110 §11.6.1, RFC 7617 §2.1). */
const CHALLENGE = { 'www-authenticate': 'Basic realm="m2m-oauth-operator", charset="UTF-8"' };

/** Replaces the characters that RFC 6749 §5.2 does not allow: quotes, backslashes and everything that is not printable ASCII. */
const asDescription = (text: string): string => text.replaceAll(/[^\x20-\x21\x23-\x5b\x5d-\x7e]/gu, "'");

/** Errors of the OAuth endpoints: RFC 6749 JSON (spec §5). */
export const oauthErrors: ErrorFamily = (failure) => {
  const { status, error, description } = errorOf(failure);
  return {
    status,
    headers: { ...(status === 401 && CHALLENGE), ...retryAfter(status, failure) },
    body: { error, error_description: asDescription(description) },
  };
};
