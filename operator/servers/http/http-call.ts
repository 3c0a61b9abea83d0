import { isIP } from 'node:net';
import type { FastifyRequest } from 'fastify';
import { plainAddress } from '../../domain/caller-address.ts';
import { IssuerFailure } from '../../issuer/failure.ts';
import type { Call } from '../../issuer/use-cases.ts';
import type { LogFields } from '../../ports/log.ts';

/** What a handler knows of its request besides what it reads; its signal aborts when the caller is gone before it is answered. */
export interface HttpCall extends Call {
  /** The value of the Authorization header. @throws IssuerFailure `BearerInvalid` where there are several */
  authorization(): string | undefined;
  /** Adds names to the one line that the log gets of the request. */
  note(fields: LogFields): void;
}

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

/** The call that a request is. Its signal is made when somebody asks for it: most requests are answered without a wait. */
export class RequestCall implements HttpCall {
  /** Taken at once: a socket that is closed does not know it any more. */
  readonly address: string;
  readonly #request: FastifyRequest;
  #gone: AbortController | undefined;
  #isGone = false;
  #notes: Record<string, unknown> = {};

  constructor(request: FastifyRequest) {
    this.#request = request;
    this.address = addressOf(request);
  }

  get signal(): AbortSignal {
    if (this.#gone === undefined) {
      this.#gone = new AbortController();
      if (this.#isGone) this.#gone.abort();
    }
    return this.#gone.signal;
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

  /** The caller is gone. */
  abort(): void {
    this.#isGone = true;
    this.#gone?.abort();
  }
}
