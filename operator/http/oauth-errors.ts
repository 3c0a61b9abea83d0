import type { FastifyReply } from 'fastify';
import { IssuerFailure } from '../issuer/failure.ts';
import { HttpFailure, statusOfFastify, TEXTS } from './http-failure.ts';
import type { ErrorFamily } from './route.ts';

/** RFC 6749 §5.2, and §4.1.2.1 for the two of a server that can't. */
type OAuthError = { readonly status: number; readonly error: string; readonly description: string };

const ofFailure = ({ code, oauthCode, message }: IssuerFailure): OAuthError => {
  switch (code) {
    case 'Refused': {
      const error = oauthCode ?? 'invalid_request';
      return { status: error === 'invalid_client' ? 401 : 400, error, description: message };
    }
    case 'BearerInvalid':
    case 'OwnerMissing':
    case 'Malformed':
      return { status: 400, error: 'invalid_request', description: message };
    case 'Unavailable':
    case 'Exhausted':
      return { status: 503, error: 'temporarily_unavailable', description: message };
  }
};

const ofStatus = (status: number, message: string): OAuthError => ({
  status,
  error: status < 500 ? 'invalid_request' : 'temporarily_unavailable',
  description: message,
});

const errorOf = (failure: unknown): OAuthError => {
  if (failure instanceof IssuerFailure) return ofFailure(failure);
  if (failure instanceof HttpFailure) return ofStatus(failure.status, failure.message);
  const status = statusOfFastify(failure);
  if (status !== undefined) return ofStatus(status, TEXTS[status] ?? 'the request can not be read');
  return { status: 500, error: 'server_error', description: 'internal error' };
};

/** RFC 6749 §5.2: no quotes, no backslash, nothing beyond ASCII. */
const describable = (text: string): string => text.replaceAll(/[^\x20-\x21\x23-\x5b\x5d-\x7e]/gu, "'");

/** Errors as OAuth clients expect them; a client that failed to prove itself is told of Basic (RFC 9110 §11.6.1). */
export const oauthErrors: ErrorFamily = {
  send: (failure: unknown, reply: FastifyReply) => {
    const { status, error, description } = errorOf(failure);
    if (status === 401) reply.header('www-authenticate', 'Basic realm="m2m-oauth-operator", charset="UTF-8"');
    if (status === 503) reply.header('retry-after', '1');
    void reply
      .code(status)
      .header('cache-control', 'no-store')
      .type('application/json')
      .send(JSON.stringify({ error, error_description: describable(description) }));
    return status;
  },
};
