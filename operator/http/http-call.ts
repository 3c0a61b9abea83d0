import type { FastifyReply, FastifyRequest } from 'fastify';
import { IssuerFailure } from '../issuer/failure.ts';
import type { Call } from '../issuer/use-cases.ts';
import type { LogFields } from '../ports/log.ts';

/** What a handler knows of its request besides what it reads. */
export interface HttpCall extends Call {
  /** The value of the Authorization header. @throws IssuerFailure `BearerInvalid` where there are several */
  authorization(): string | undefined;
  /** Adds names to the one line that the log gets of the request. */
  note(fields: LogFields): void;
  readonly notes: LogFields;
}

/** Node keeps the first of several, whichever a proxy before us has looked at. */
const countOf = (rawHeaders: readonly string[], name: string): number => {
  let count = 0;
  for (let at = 0; at < rawHeaders.length; at += 2) if (rawHeaders[at]?.toLowerCase() === name) count += 1;
  return count;
};

/** Begins to watch a request: its signal aborts when the caller is gone before it is answered. */
export const openCall = (request: FastifyRequest, reply: FastifyReply): HttpCall => {
  const gone = new AbortController();
  reply.raw.once('close', () => {
    if (!reply.raw.writableFinished) gone.abort();
  });
  let notes: LogFields = {};
  return {
    address: request.ip,
    signal: gone.signal,
    authorization: () => {
      if (countOf(request.raw.rawHeaders, 'authorization') > 1) {
        throw new IssuerFailure('BearerInvalid', 'more than one Authorization header is given');
      }
      return request.headers.authorization;
    },
    note: (fields) => {
      notes = { ...notes, ...fields };
    },
    get notes() {
      return notes;
    },
  };
};
