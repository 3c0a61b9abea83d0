import type { ServerResponse } from 'node:http';
import { isIP, type Socket } from 'node:net';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { plainAddress } from '../domain/caller-address.ts';
import { IssuerFailure } from '../issuer/failure.ts';
import type { LogFields } from '../ports/log.ts';
import { CALLER_GONE, type DoorTools, noteEnd } from './access-log.ts';
import type { HttpCall } from './http-call.ts';
import { ownFailureOf } from './http-failure.ts';
import type { ErrorAnswer } from './route.ts';
import type { Place } from './route-table.ts';

/** Node keeps the first of several, whichever a proxy before us has looked at. */
const authorizationOf = ({ raw }: FastifyRequest): string | undefined => {
  const { rawHeaders } = raw;
  let count = 0;
  for (let at = 0; at < rawHeaders.length; at += 2) {
    if (rawHeaders[at]?.toLowerCase() === 'authorization') count += 1;
  }
  if (count > 1) throw new IssuerFailure('BearerInvalid', 'more than one Authorization header is given');
  return raw.headers.authorization;
};

/** What a trusted proxy says of its caller is no address at times: then the proxy's own is all that is known. */
const addressOf = ({ ip, socket }: FastifyRequest): string =>
  plainAddress((isIP(ip ?? '') === 0 ? socket.remoteAddress : ip) ?? '');

/** One request and its answer, from its arrival to its line in the log. */
export class Exchange {
  readonly place: Place;
  readonly socket: Socket;
  readonly call: HttpCall;
  readonly #method: string;
  readonly #response: ServerResponse;
  readonly #startedAt: number;
  readonly #gone = new AbortController();
  #work: Promise<unknown> = Promise.resolve();
  #notes: LogFields = {};
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
    this.call = {
      address: addressOf(request),
      signal: this.#gone.signal,
      authorization: () => authorizationOf(request),
      note: (fields) => {
        this.#notes = { ...this.#notes, ...fields };
      },
    };
    // A socket that has waited for long: a reader that leaves its answer alone is cut off, one that waits for it is not.
    this.#response.on('timeout', () => {
      if (this.socket.writableLength > 0) this.socket.destroy();
    });
  }

  /** Whether part of the answer may be with the caller. */
  get isAnswered(): boolean {
    return this.#response.headersSent;
  }

  /** Does what the request is for. @throws what `work` throws */
  run(work: () => Promise<void> | void): Promise<void> {
    const running = (async () => work())();
    this.#work = running.catch(() => undefined);
    return running;
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
  async close(tools: DoorTools): Promise<void> {
    const isWhole = this.#response.writableFinished;
    if (!isWhole) this.#gone.abort();
    const own = isWhole ? this.#response.statusCode : this.#brokenOff;
    const ms = tools.clock.monotonic() - this.#startedAt;
    await this.#work;
    noteEnd(tools, {
      route: this.place.name,
      method: this.#method,
      status: this.#replacement ?? own ?? CALLER_GONE,
      ms,
      address: this.call.address,
      successLevel: this.place.route?.successLevel ?? 'debug',
      notes: this.#notes,
      // What fails because the caller is gone says nothing.
      failure: own === undefined ? undefined : this.#failure,
    });
  }
}
