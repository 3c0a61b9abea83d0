import type { ServerResponse } from 'node:http';
import { isIP, type Socket } from 'node:net';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { plainAddress } from '../../domain/caller-address.ts';
import { IssuerFailure, whyOf } from '../../issuer/failure.ts';
import type { MonotonicClock } from '../../ports/clock.ts';
import type { Log, LogFields } from '../../ports/log.ts';
import type { Metrics } from '../../ports/metrics.ts';
import { fromFastifyError, HttpFailure } from './http-failure.ts';
import type { ErrorAnswer, HttpRequestContext, RouteMatch } from './route.ts';

/** What every HTTP request needs: times, the access log and the request metrics. */
export interface HttpRequestDeps {
  readonly clock: MonotonicClock;
  readonly log: Log;
  readonly metrics: Pick<Metrics, 'httpRequest'>;
}

/** What the access log and the metrics have of a finished request. */
export interface FinishedRequest {
  /** The path of its route, or `unknown`: never the URL, which may hold a secret. */
  readonly route: string;
  readonly method: string;
  readonly status: number;
  readonly ms: number;
  readonly address: string | undefined;
  readonly successLevel: 'info' | 'debug';
  readonly notes?: LogFields;
  /** Undefined for a request that succeeded, or whose status says everything. */
  readonly failure?: unknown;
}

/** The client disconnected before it was answered, or was disconnected. Not a standard status; nginx logs it. */
const CLIENT_CLOSED_REQUEST = 499;

/** Methods by name in log and metrics; others, which a client may make up, are `other`. */
const METHODS: readonly string[] = ['GET', 'HEAD', 'POST', 'DELETE', 'OPTIONS', 'PUT', 'PATCH'];

/** Log fields of a failed request; none for an HttpFailure, which its status describes. */
const reasonOf = (failure: unknown): LogFields =>
  failure === undefined || failure instanceof HttpFailure ? {} : whyOf(failure);

const levelOf = ({ status, successLevel }: FinishedRequest): 'debug' | 'info' | 'warn' | 'error' => {
  if (status >= 500) return status === 500 ? 'error' : 'warn';
  if (status === 429) return 'warn';
  return status >= 400 ? 'info' : successLevel;
};

/** Counts a finished request and writes its access log line. */
export const recordFinished = (
  { log, metrics }: Pick<HttpRequestDeps, 'log' | 'metrics'>,
  finished: FinishedRequest,
): void => {
  const { route, status, ms, address, notes, failure } = finished;
  const method = METHODS.includes(finished.method) ? finished.method : 'other';
  metrics.httpRequest({ route, method, code: String(status) }, ms / 1000);
  log[levelOf(finished)]('HTTP request', {
    route,
    method,
    code: status,
    ms: Math.round(ms * 10) / 10,
    address,
    ...notes,
    ...reasonOf(failure),
  });
};

/** Node keeps the first of several Authorization headers, whichever of them a proxy in front of this server has checked. */
const authorizationOf = ({ raw }: FastifyRequest): string | undefined => {
  const { rawHeaders } = raw;
  let count = 0;
  for (let at = 0; at < rawHeaders.length; at += 2) {
    if (rawHeaders[at]?.toLowerCase() === 'authorization') count += 1;
  }
  if (count > 1) {
    const bearerError = 'invalid_token';
    throw new IssuerFailure('BearerInvalid', 'more than one Authorization header is given', { bearerError });
  }
  return raw.headers.authorization;
};

/** The client's address. X-Forwarded-For of a trusted proxy may hold something else than an address: then that of the proxy. */
const addressOf = ({ ip, socket }: FastifyRequest): string =>
  plainAddress((isIP(ip ?? '') === 0 ? socket.remoteAddress : ip) ?? '');

/** The {@link HttpRequestContext} of a request. Its abort signal is made on demand: most requests are answered without waiting (decision 0015). */
class RequestCall implements HttpRequestContext {
  /** Read at once: a closed socket no longer has it. */
  readonly address: string;
  readonly #request: FastifyRequest;
  readonly #notes: Record<string, unknown> = {};
  #controller: AbortController | undefined;
  #isAborted = false;

  constructor(request: FastifyRequest) {
    this.#request = request;
    this.address = addressOf(request);
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#isAborted) this.#controller.abort();
    }
    return this.#controller.signal;
  }

  authorization(): string | undefined {
    return authorizationOf(this.#request);
  }

  note(fields: LogFields): void {
    Object.assign(this.#notes, fields);
  }

  get notes(): LogFields {
    return this.#notes;
  }

  abort(): void {
    this.#isAborted = true;
    this.#controller?.abort();
  }
}

/** One HTTP request, from its arrival to its access log line. */
export class RequestLifecycle {
  readonly match: RouteMatch;
  readonly socket: Socket;
  readonly #call: RequestCall;
  readonly #method: string;
  readonly #response: ServerResponse;
  readonly #startedAt: number;
  #isClosed = false;
  /** The handler's promise; undefined for a handler that answered without waiting. */
  #work: Promise<unknown> | undefined;
  #failure: unknown;
  /** The status of the failure that cut an answer short. */
  #brokenOff: number | undefined;
  /** The status line that was written to the socket in place of the response. */
  #replacement: number | undefined;

  constructor(
    request: FastifyRequest,
    reply: FastifyReply,
    { match, startedAt }: { match: RouteMatch; startedAt: number },
  ) {
    this.match = match;
    this.socket = request.socket;
    this.#method = request.method;
    this.#response = reply.raw;
    this.#startedAt = startedAt;
    this.#call = new RequestCall(request);
  }

  get call(): HttpRequestContext {
    return this.#call;
  }

  /** Whether part of the response may have reached the client. */
  get hasStartedResponse(): boolean {
    return this.#response.headersSent;
  }

  /** Whether the request has succeeded, on a route for which the caller needs credentials. */
  get hasAuthenticated(): boolean {
    const { route } = this.match;
    return route !== undefined && route.isPublic !== true && this.#response.statusCode < 400;
  }

  /** Bytes of the response that the network has not taken yet. */
  get unsentBytes(): number {
    return this.#response.writableLength;
  }

  /** Runs the handler, unless the client is gone. What it throws or rejects with is passed to `fail`. */
  run(handle: () => Promise<void> | void, fail: (error: unknown) => void): void {
    if (this.#isClosed) return;
    try {
      this.#work = handle()?.catch(fail);
    } catch (error) {
      fail(error);
    }
  }

  /** Remembers the error for the access log, and returns the response to it. */
  failWith(error: unknown): ErrorAnswer {
    const { errors, route } = this.match;
    this.#failure = fromFastifyError(error);
    return errors(this.#failure, route?.purpose ?? 'answer');
  }

  /** Cuts short an answer that has begun, so that a part does not pass for the whole. */
  breakOff(error: unknown): void {
    this.#brokenOff = this.failWith(error).status;
    this.call.note({ brokenOff: true });
    this.#response.destroy();
  }

  /** The input of this connection could not be parsed: this status line was written to the socket in place of the response (unreadable.ts). */
  rejectedOnSocket(status: number): void {
    this.#replacement = status;
  }

  /** Asks for the connection to be closed after this response, unless its headers are sent. */
  setConnectionClose(): void {
    if (!this.#response.headersSent) this.#response.setHeader('connection', 'close');
  }

  /** Calls back when the response is sent completely, or never will be. */
  whenClosed(callback: () => void): void {
    this.#response.once('close', callback);
  }

  /**
   * The response has closed: aborts pending work, waits for the handler, then records the request. The handler may still note the
   * `jti` of a token that was issued although the client is gone.
   */
  finish(deps: HttpRequestDeps): void {
    this.#isClosed = true;
    const isComplete = this.#response.writableFinished;
    if (!isComplete) this.#call.abort();
    const status = isComplete ? this.#response.statusCode : this.#brokenOff;
    const ms = deps.clock.monotonic() - this.#startedAt;
    if (this.#work) void this.#work.then(() => this.#record(deps, { status, ms }));
    else this.#record(deps, { status, ms });
  }

  /** `status` is that of a complete answer or of one that was cut short; undefined if the client disconnected. */
  #record(deps: HttpRequestDeps, { status, ms }: { status: number | undefined; ms: number }): void {
    recordFinished(deps, {
      route: this.match.name,
      method: this.#method,
      status: this.#replacement ?? status ?? CLIENT_CLOSED_REQUEST,
      ms,
      address: this.#call.address,
      successLevel: this.match.route?.successLevel ?? 'debug',
      notes: this.#call.notes,
      // Without a complete response a failure is taken for a consequence of the client's disconnect.
      failure: status === undefined ? undefined : this.#failure,
    });
  }
}
