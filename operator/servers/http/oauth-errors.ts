import { IssuerFailure } from '../../issuer/failure.ts';
import { HttpFailure } from './http-failure.ts';
import type { ErrorFamily } from './route.ts';

/** RFC 6749 §5.2, and §4.1.2.1 for the two of a server that can't. */
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

/** A client that failed to prove itself is told of Basic (RFC 9110 §11.6.1, RFC 7617 §2.1). */
const CHALLENGE = { 'www-authenticate': 'Basic realm="m2m-oauth-operator", charset="UTF-8"' };
const SOON = { 'retry-after': '1' };

/** RFC 6749 §5.2: no quotes, no backslash, nothing beyond ASCII. */
const describable = (text: string): string => text.replaceAll(/[^\x20-\x21\x23-\x5b\x5d-\x7e]/gu, "'");

/** Errors as OAuth clients expect them. */
export const oauthErrors: ErrorFamily = (failure) => {
  const { status, error, description } = errorOf(failure);
  return {
    status,
    headers: { ...(status === 401 && CHALLENGE), ...(status === 503 && SOON) },
    body: { error, error_description: describable(description) },
  };
};
