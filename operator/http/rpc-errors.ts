import type { FastifyReply } from 'fastify';
import { type FailureCode, IssuerFailure } from '../issuer/failure.ts';
import { HttpFailure, statusOfFastify, TEXTS } from './http-failure.ts';
import type { ErrorFamily } from './route.ts';

/** google.rpc.Code, as far as it is used; 0 is OK and never here: existing verifiers take an error without a code for a good token. */
const INVALID_ARGUMENT = 3;
const NOT_FOUND = 5;
const RESOURCE_EXHAUSTED = 8;
const UNIMPLEMENTED = 12;
const INTERNAL = 13;
const UNAVAILABLE = 14;
const UNAUTHENTICATED = 16;

interface RpcError {
  readonly status: number;
  readonly code: number;
  readonly message: string;
}

/** The HTTP status that grpc-gateway gives to a code, and the code that the gRPC door gives. */
const FAILURES: Readonly<Record<FailureCode, { readonly status: number; readonly code: number }>> = {
  Refused: { status: 401, code: UNAUTHENTICATED },
  BearerInvalid: { status: 401, code: UNAUTHENTICATED },
  OwnerMissing: { status: 400, code: INVALID_ARGUMENT },
  Malformed: { status: 400, code: INVALID_ARGUMENT },
  Unavailable: { status: 503, code: UNAVAILABLE },
  Exhausted: { status: 429, code: RESOURCE_EXHAUSTED },
};

const CODES: Readonly<Record<number, number>> = {
  404: NOT_FOUND,
  405: UNIMPLEMENTED,
  413: RESOURCE_EXHAUSTED,
  500: INTERNAL,
  503: UNAVAILABLE,
};

const ofStatus = (status: number, message: string): RpcError => ({
  status,
  code: CODES[status] ?? (status < 500 ? INVALID_ARGUMENT : INTERNAL),
  message,
});

const errorOf = (failure: unknown, purpose: string): RpcError => {
  if (failure instanceof IssuerFailure) {
    return { ...FAILURES[failure.code], message: `cannot ${purpose}: ${failure.message}` };
  }
  if (failure instanceof HttpFailure) return ofStatus(failure.status, failure.message);
  const status = statusOfFastify(failure);
  if (status !== undefined) return ofStatus(status, TEXTS[status] ?? 'the request can not be read');
  return { status: 500, code: INTERNAL, message: `cannot ${purpose}: internal error` };
};

/** Errors as grpc-gateway gives them: google.rpc.Status without `details` (contract §5). */
export const rpcErrors: ErrorFamily = {
  send: (failure: unknown, reply: FastifyReply, purpose: string) => {
    const { status, code, message } = errorOf(failure, purpose);
    if (status === 401) reply.header('www-authenticate', 'Bearer realm="m2m-oauth-operator"');
    if (status === 429 || status === 503) reply.header('retry-after', '1');
    void reply
      .code(status)
      .header('cache-control', 'no-store')
      .type('application/json')
      .send(JSON.stringify({ code, message: message.toWellFormed() }));
    return status;
  },
};
