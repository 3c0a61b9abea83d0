import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Awaitable } from '../../async/map-awaitable.ts';
import type { HttpCall } from './http-call.ts';

type Method = 'GET' | 'POST' | 'DELETE';

/** An operation of the OpenAPI document (openapis.org, 3.1), as far as it is used. */
export type Operation = Readonly<Record<string, unknown>>;

/** The answer to a request that failed; its body is JSON. */
export interface ErrorAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: object;
}

/** How a family of paths says what went wrong, to somebody who wanted to `purpose` ("create token"). */
export type ErrorFamily = (failure: unknown, purpose: string) => ErrorAnswer;

/** One path and method, and all there is to say of it. */
export interface Route {
  /** Who serves GET serves HEAD (RFC 9110 §9.3.2). */
  readonly method: Method;
  /** Full, without parameters: a request's path has to be the same to the letter. */
  readonly path: string;
  /** What it is for, in the words of an error: "cannot {purpose}: …". */
  readonly purpose: string;
  readonly errors: ErrorFamily;
  /** How loud a request is that went well. */
  readonly successLevel: 'info' | 'debug';
  readonly operation: Operation;
  /** Answers; what it throws is answered by `errors`. */
  readonly handle: (request: FastifyRequest, reply: FastifyReply, call: HttpCall) => Awaitable<void>;
}
