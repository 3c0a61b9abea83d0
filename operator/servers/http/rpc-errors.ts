import { type FailureCode, IssuerFailure } from '../../issuer/failure.ts';
import { HttpFailure, retryAfter } from './http-failure.ts';
import type { ErrorFamily } from './route.ts';

/** google.rpc.Code, as far as it is used. Never 0: existing verifiers take an error without a code for a valid token (spec §5). */
const CODE = {
  INVALID_ARGUMENT: 3,
  NOT_FOUND: 5,
  RESOURCE_EXHAUSTED: 8,
  UNIMPLEMENTED: 12,
  INTERNAL: 13,
  UNAVAILABLE: 14,
  UNAUTHENTICATED: 16,
} as const;

interface RpcError {
  readonly status: number;
  readonly code: number;
  readonly message: string;
}

/** The gRPC status of each failure (servers/grpc/status.ts), and the HTTP status to which grpc-gateway maps it. */
const FAILURES: Readonly<Record<FailureCode, { readonly status: number; readonly code: number }>> = {
  Refused: { status: 401, code: CODE.UNAUTHENTICATED },
  BearerInvalid: { status: 401, code: CODE.UNAUTHENTICATED },
  OwnerMissing: { status: 400, code: CODE.INVALID_ARGUMENT },
  Malformed: { status: 400, code: CODE.INVALID_ARGUMENT },
  Unavailable: { status: 503, code: CODE.UNAVAILABLE },
  Exhausted: { status: 429, code: CODE.RESOURCE_EXHAUSTED },
  Limited: { status: 429, code: CODE.RESOURCE_EXHAUSTED },
};

const STATUSES: Readonly<Record<HttpFailure['status'], number>> = {
  400: CODE.INVALID_ARGUMENT,
  404: CODE.NOT_FOUND,
  405: CODE.UNIMPLEMENTED,
  413: CODE.RESOURCE_EXHAUSTED,
  415: CODE.INVALID_ARGUMENT,
  431: CODE.RESOURCE_EXHAUSTED,
  503: CODE.UNAVAILABLE,
};

const errorOf = (failure: unknown, purpose: string): RpcError => {
  if (failure instanceof IssuerFailure) {
    return { ...FAILURES[failure.code], message: `cannot ${purpose}: ${failure.message}` };
  }
  if (failure instanceof HttpFailure) {
    const { status, message } = failure;
    return { status, code: STATUSES[status], message };
  }
  return { status: 500, code: CODE.INTERNAL, message: `cannot ${purpose}: internal error` };
};

/** The challenge of a 401 (RFC 6750 §3); it has an error code only if a bearer was sent (§3.1). */
const challengeOf = (failure: unknown): Readonly<Record<string, string>> => {
  const error = failure instanceof IssuerFailure ? failure.bearerError : undefined;
  return {
    'www-authenticate': `Bearer realm="m2m-oauth-operator"${error === undefined ? '' : `, error="${error}"`}`,
  };
};

/** Errors of the gateway, and of unknown paths: google.rpc.Status without `details` (spec §5). */
export const rpcErrors: ErrorFamily = (failure, purpose) => {
  const { status, code, message } = errorOf(failure, purpose);
  return {
    status,
    headers: { ...(status === 401 && challengeOf(failure)), ...retryAfter(status, failure) },
    body: { code, message: message.toWellFormed() },
  };
};
