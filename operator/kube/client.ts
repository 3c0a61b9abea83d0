import type { Dispatcher } from 'undici';
import { sleep } from '../async/sleep.ts';
import type { Clock, MonotonicClock } from '../ports/clock.ts';
import { ApiError } from '../ports/kube.ts';
import type { Log } from '../ports/log.ts';
import type { Metrics } from '../ports/metrics.ts';
import type { WatchContact } from '../ports/watch.ts';
import { codeOf, retryAfterMsOf, statusFailure, transportFailure, unreadableAnswer } from './api-failure.ts';
import type { BufferedResponse } from './buffered-response.ts';
import type { Connection, Outgoing } from './connection.ts';

/** Verbs as RBAC names them; also the label of the request metric. */
type Verb = 'get' | 'list' | 'watch' | 'create' | 'update' | 'patch' | 'delete';

/** One call to the API server. */
export interface KubeRequest {
  readonly verb: Verb;
  /** Below the server's URL, see resource-client.ts. */
  readonly path: string;
  /** As text: encoded already, without `?`. */
  readonly query?: string | Readonly<Record<string, string | number | boolean | undefined>>;
  /** Sent as JSON. */
  readonly body?: unknown;
  /** `application/json` unless given. */
  readonly contentType?: string;
  readonly accept?: string;
  readonly signal?: AbortSignal | undefined;
  /** Most milliseconds until the answer's headers, and between two pieces of its body; 30 s unless given. */
  readonly timeoutMs?: number;
  /** Most bytes of the answer; beyond it the call fails with status 0, reason `TooLarge`. Not for a watch. */
  readonly maxBytes?: number | undefined;
  /** Called with the number of bytes of the answer, before it is parsed. */
  readonly onBytes?: (bytes: number) => void;
  /** Asked before each try of a write; see {@link KubeClient.gated}. */
  readonly mayWrite?: () => boolean;
}

/** Calls to the API server; every failure is an ApiError, which never carries a body. */
export interface KubeClient {
  /** The parsed answer. Reads are repeated once after a broken connection; 429, and 503 to a read, at most twice as `Retry-After` says, where that is 10 s or less. */
  request<T>(request: KubeRequest): Promise<T>;
  /** A watch's stream, once the API server has accepted it. The caller must read or destroy it. */
  stream(request: KubeRequest): Promise<Dispatcher.ResponseData['body']>;
  /** The same client, but its writes are not sent, nor sent again, while `mayWrite` says no: they fail with status 0, reason `NotLeader`. */
  gated(mayWrite: () => boolean): KubeClient;
  /** `seconds` that this clock is ahead of the API server's; 0 before the first answer. */
  readonly clockSkew: { readonly seconds: number };
  /** When the watches' connections last answered anything; see {@link Connection.watchContact}. */
  readonly watchContact: WatchContact;
}

export interface KubeClientOptions {
  readonly connection: Connection;
  readonly clock: MonotonicClock;
  readonly log: Log;
  readonly metrics: Pick<Metrics, 'apiRequest' | 'clockSkew'>;
}

const METHODS: Readonly<Record<Verb, Dispatcher.HttpMethod>> = {
  get: 'GET',
  list: 'GET',
  watch: 'GET',
  create: 'POST',
  update: 'PUT',
  patch: 'PATCH',
  delete: 'DELETE',
};
const READS: ReadonlySet<Verb> = new Set(['get', 'list', 'watch']);
const TIMEOUT_MS = 30_000;
const MAX_TRIES = 3;
const MAX_RETRY_AFTER_MS = 10_000;
const USER_AGENT = 'm2m-oauth-operator';

/** Wraps a connection; see {@link KubeClient}. */
export const createKubeClient = (options: KubeClientOptions): KubeClient => {
  const exchange = new RequestExecutor(options);
  const calls = {
    stream: (request: KubeRequest) => exchange.stream(request),
    clockSkew: exchange.skew,
    watchContact: options.connection.watchContact,
  };
  const gatedBy = (mayWrite: () => boolean): KubeClient => ({
    ...calls,
    request: (request) => exchange.request({ ...request, mayWrite }),
    gated: (more) => gatedBy(() => mayWrite() && more()),
  });
  return gatedBy(() => true);
};

/** One try's outcome: the answer, or the failure and after how long another try makes sense. */
type Try<T> =
  | { readonly answer: T }
  | { readonly failure: ApiError; readonly again: false }
  | { readonly failure: ApiError; readonly again: true; readonly waitMs: number };

/** The state that calls share: credentials that were rejected, clock skew. */
class RequestExecutor {
  readonly skew: ClockSkew;
  readonly #options: KubeClientOptions;

  constructor(options: KubeClientOptions) {
    this.#options = options;
    this.skew = new ClockSkew(options);
  }

  async request<T>(request: KubeRequest): Promise<T> {
    const { verb, path, mayWrite } = request;
    for (let tries = 1; ; tries++) {
      if (!READS.has(verb) && mayWrite?.() === false)
        throw new ApiError(`${verb} ${path}: not the leader`, { status: 0, reason: 'NotLeader' });
      const outcome = await this.#try<T>(request);
      if ('answer' in outcome) return outcome.answer;
      if (!outcome.again || tries >= MAX_TRIES || request.signal?.aborted) throw outcome.failure;
      if (outcome.waitMs > 0)
        await sleep(this.#options.clock, outcome.waitMs, ...(request.signal ? [request.signal] : []));
    }
  }

  async stream(request: KubeRequest): Promise<Dispatcher.ResponseData['body']> {
    const response = await this.#exchange(request, (outgoing) => this.#options.connection.watch(outgoing));
    const { statusCode, headers, body } = response;
    if (statusCode < 300) return body;
    // Where the connection breaks the status says enough.
    const text = await body.text().catch(() => '');
    throw this.#rejection(request, { statusCode, headers, text });
  }

  async #try<T>(request: KubeRequest): Promise<Try<T>> {
    const isRead = READS.has(request.verb);
    try {
      const response = await this.#exchange(request, (out) => this.#options.connection.request(out));
      if (response.statusCode < 300) return { answer: answerOf<T>(request, response) };
      return classifyResponse(this.#rejection(request, response), isRead);
    } catch (error) {
      const failure = transportFailure(request, error, request.signal);
      // The API server, or something before it, closed a connection that was kept for later.
      const again = isRead && /^(?:UND_ERR_SOCKET|ECONNRESET|EPIPE)$/u.test(codeOf(error));
      return again ? { failure, again, waitMs: 0 } : { failure, again: false };
    }
  }

  async #exchange<R extends { readonly statusCode: number; readonly headers: BufferedResponse['headers'] }>(
    request: KubeRequest,
    send: (outgoing: Outgoing) => Promise<R>,
  ): Promise<R> {
    const { clock, metrics } = this.#options;
    const [sentAt, startedAt] = [clock.now(), clock.monotonic()];
    let code = 0;
    try {
      const response = await send(outgoingOf(request));
      code = response.statusCode;
      const { date } = response.headers;
      this.skew.sample(typeof date === 'string' ? date : undefined, sentAt);
      return response;
    } catch (error) {
      throw transportFailure(request, error, request.signal);
    } finally {
      metrics.apiRequest(request.verb, code, (clock.monotonic() - startedAt) / 1000);
    }
  }

  #rejection(
    request: KubeRequest,
    { statusCode: status, headers, text }: Omit<BufferedResponse, 'bytes'>,
  ): ApiError {
    if (status === 401) this.#options.connection.distrust();
    let body: unknown;
    try {
      body = JSON.parse(text);
    } catch {
      // A proxy's page: the status says enough.
    }
    return statusFailure(request, { status, body, retryAfterMs: retryAfterMsOf(headers['retry-after']) });
  }
}

const answerOf = <T>(request: KubeRequest, { statusCode, text, bytes }: BufferedResponse): T => {
  request.onBytes?.(bytes);
  try {
    return JSON.parse(text) as T;
  } catch {
    throw unreadableAnswer(request, statusCode);
  }
};

/** 429 says that nothing was done (API priority and fairness); 503 says so only of reads; 401 may be a token that was replaced just now. */
const classifyResponse = (failure: ApiError, isRead: boolean): Try<never> => {
  if (failure.status === 401) return { failure, again: true, waitMs: 0 };
  const busy = failure.status === 429 || (failure.status === 503 && isRead);
  const waitMs = failure.retryAfterMs;
  if (!busy || waitMs === undefined || waitMs > MAX_RETRY_AFTER_MS) return { failure, again: false };
  return { failure, again: true, waitMs };
};

const outgoingOf = (request: KubeRequest): Outgoing => {
  const { verb, path, query, body, signal, maxBytes, timeoutMs = TIMEOUT_MS } = request;
  return {
    method: METHODS[verb],
    path: query ? path + searchOf(query) : path,
    headers: {
      accept: request.accept ?? 'application/json',
      'user-agent': USER_AGENT,
      ...(body !== undefined && { 'content-type': request.contentType ?? 'application/json' }),
    },
    ...(body !== undefined && { body: JSON.stringify(body) }),
    ...(signal && { signal }),
    ...(maxBytes !== undefined && { maxBytes }),
    headersTimeoutMs: timeoutMs,
    bodyTimeoutMs: verb === 'watch' ? 0 : timeoutMs,
  };
};

const searchOf = (query: NonNullable<KubeRequest['query']>): string => {
  if (typeof query === 'string') return `?${query}`;
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined) parameters.set(name, String(value));
  }
  return parameters.size === 0 ? '' : `?${parameters}`;
};

const SAMPLE_MS = 1_000;
const WARN_EVERY_MS = 60_000;
/** Spec §3: beyond this a metric and a warning. */
const WARN_SECONDS = 30;

/** How far this clock is from the API server's, by the `Date` of its answers (whole seconds), sampled at most once a second. */
export class ClockSkew {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #metrics: Pick<Metrics, 'clockSkew'>;
  #sampledAt = Number.NEGATIVE_INFINITY;
  #warnedAt = Number.NEGATIVE_INFINITY;
  /** Seconds that this clock is ahead of the API server (negative: behind); 0 before the first answer. */
  seconds = 0;

  constructor(options: {
    readonly clock: Clock;
    readonly log: Log;
    readonly metrics: Pick<Metrics, 'clockSkew'>;
  }) {
    this.#clock = options.clock;
    this.#log = options.log;
    this.#metrics = options.metrics;
  }

  /** Takes the `Date` header of an answer to a request sent at `sentAt` (epoch milliseconds). */
  sample(date: string | undefined, sentAt: number): void {
    const now = this.#clock.now();
    if (date === undefined || Math.abs(now - this.#sampledAt) < SAMPLE_MS) return;
    const server = Date.parse(date);
    if (Number.isNaN(server)) return;
    this.#sampledAt = now;
    // The header is floored to the second, and was written somewhere between sending and now.
    const seconds = ((sentAt + now) / 2 - (server + 500)) / 1000;
    this.seconds = Math.abs(seconds) <= 0.5 + (now - sentAt) / 2000 ? 0 : seconds;
    this.#metrics.clockSkew(this.seconds);
    if (Math.abs(seconds) <= WARN_SECONDS || Math.abs(now - this.#warnedAt) < WARN_EVERY_MS) return;
    this.#warnedAt = now;
    this.#log.warn('this clock differs from the API server’s', { aheadSeconds: Math.round(seconds) });
  }
}
