import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { CALLER_GONE, type HttpCallDeps, noteEnd } from './access-log.ts';
import { type HttpCall, RequestCall } from './http-call.ts';
import { ownFailureOf } from './http-failure.ts';
import type { ErrorAnswer } from './route.ts';
import type { Place } from './route-table.ts';

/** One request and its answer, from its arrival to its line in the log. */
export class Exchange {
  readonly place: Place;
  readonly socket: Socket;
  readonly #call: RequestCall;
  readonly #method: string;
  readonly #response: ServerResponse;
  readonly #startedAt: number;
  #isOver = false;
  /** What is still done for it; undefined where nothing is. */
  #work: Promise<unknown> | undefined;
  #failure: unknown;
  /** The status of an answer that was broken off, and of what came in its place. */
  #brokenOff: number | undefined;
  #replacement: number | undefined;

  constructor(
    request: FastifyRequest,
    reply: FastifyReply,
    { place, startedAt }: { place: Place; startedAt: number },
  ) {
    this.place = place;
    this.socket = request.socket;
    this.#method = request.method;
    this.#response = reply.raw;
    this.#startedAt = startedAt;
    this.#call = new RequestCall(request);
  }

  get call(): HttpCall {
    return this.#call;
  }

  /** Whether part of the answer may be with the caller. */
  get isAnswered(): boolean {
    return this.#response.headersSent;
  }

  /** Does what the request is for, unless its caller is gone; what `work` throws, now or later, goes to `fail`. */
  run(work: () => Promise<void> | void, fail: (error: unknown) => void): void {
    if (this.#isOver) return;
    try {
      this.#work = work()?.catch(fail);
    } catch (error) {
      fail(error);
    }
  }

  /** What to answer for what was thrown. */
  answerOf(error: unknown): ErrorAnswer {
    const { errors, route } = this.place;
    this.#failure = ownFailureOf(error);
    return errors(this.#failure, route?.purpose ?? 'answer');
  }

  /** Breaks an answer off that has begun, so that half of it can't pass for all. */
  breakOff(error: unknown): void {
    this.#brokenOff = this.answerOf(error).status;
    this.call.note({ brokenOff: true });
    this.#response.destroy();
  }

  /** The connection gave this status instead of an answer. */
  replacedBy(status: number): void {
    this.#replacement = status;
  }

  /** Its connection is not to be used again. */
  endConnection(): void {
    if (!this.#response.headersSent) this.#response.setHeader('connection', 'close');
  }

  /** Calls back when it is over: answered to the last byte, or never to be. */
  whenOver(callback: () => void): void {
    this.#response.once('close', callback);
  }

  /** Aborts what still runs for it; then counts it and writes its line, which names a token that was made for a caller who is gone. */
  close(tools: HttpCallDeps): void {
    this.#isOver = true;
    const isWhole = this.#response.writableFinished;
    if (!isWhole) this.#call.abort();
    const own = isWhole ? this.#response.statusCode : this.#brokenOff;
    const ms = tools.clock.monotonic() - this.#startedAt;
    if (this.#work) void this.#work.then(() => this.#note(tools, { own, ms }));
    else this.#note(tools, { own, ms });
  }

  /** `own` is the status of the whole answer, or of one that was broken off. */
  #note(tools: HttpCallDeps, { own, ms }: { own: number | undefined; ms: number }): void {
    noteEnd(tools, {
      route: this.place.name,
      method: this.#method,
      status: this.#replacement ?? own ?? CALLER_GONE,
      ms,
      address: this.#call.address,
      successLevel: this.place.route?.successLevel ?? 'debug',
      notes: this.#call.notes,
      // What fails because the caller is gone says nothing.
      failure: own === undefined ? undefined : this.#failure,
    });
  }
}
