import type { FastifyReply, FastifyRequest } from 'fastify';
import { mapAwaitable } from '../../async/map-awaitable.ts';
import type { TokenRecord } from '../../domain/record/token-record.ts';
import { IssuerFailure } from '../../issuer/failure.ts';
import type { Issuer, TokenQuery } from '../../issuer/use-cases.ts';
import type { HttpCall } from './http-call.ts';
import { showsEmpty, typeOf } from './message-answer.ts';
import { BEARER, ID_FILTER, INT64, jsonAnswer, RPC_ERRORS } from './openapi-parts.ts';
import { tokenJson } from './protojson.ts';
import { idFilterOf, includesBlacklisted, queryOf } from './query.ts';
import { remembered } from './remembered.ts';
import type { Route } from './route.ts';
import { rpcErrors } from './rpc-errors.ts';
import { streamLines } from './stream-lines.ts';

type ListingIssuer = Pick<Issuer, 'authenticateSelf' | 'listTokens'>;

const tokenQueryOf = (request: FastifyRequest): TokenQuery => {
  const query = queryOf(request);
  return { ids: idFilterOf(query), includeBlacklisted: includesBlacklisted(query) };
};

const isAboutItself = ({ ids }: TokenQuery, own: TokenRecord | undefined): own is TokenRecord =>
  own !== undefined && ids.length === 1 && ids[0] === own.id;

const blacklisted = (): IssuerFailure =>
  new IssuerFailure('BearerInvalid', 'the bearer is missing or not good', {
    detail: 'blacklisted, and asks for more than itself',
  });

const lineOf = (record: TokenRecord, empty: boolean): string =>
  `${JSON.stringify({ result: tokenJson(record, empty) })}\n`;

/** Verifiers ask about the same token again and again. */
const ownLineOf = remembered((record: TokenRecord) => lineOf(record, false));

/** The tokens of a bearer, as many lines at a time as the caller reads. @throws IssuerFailure */
const sendList = async (
  request: FastifyRequest,
  reply: FastifyReply,
  { call, chunks }: { call: HttpCall; chunks: AsyncIterable<readonly TokenRecord[]> },
): Promise<void> => {
  const empty = showsEmpty(request);
  let tokens = 0;
  const lines = (records: readonly TokenRecord[]): string => {
    tokens += records.length;
    return records.map((record) => lineOf(record, empty)).join('');
  };
  try {
    await streamLines(reply, { type: typeOf(request), chunks, lines, call });
  } finally {
    call.note({ tokens });
  }
};

/** A Token message; empty fields are left out unless they are asked for. */
const TOKEN = {
  type: 'object',
  properties: {
    id: { type: 'string' },
    version: INT64,
    name: { type: 'string' },
    owner: { type: 'string' },
    issuedAt: INT64,
    audience: { type: 'array', items: { type: 'string' } },
    scope: { type: 'array', items: { type: 'string' } },
    expiration: INT64,
    clientId: { type: 'string' },
    originalTokenClaims: {},
    blacklisted: {
      type: ['object', 'null'],
      properties: { flag: { type: 'boolean' }, timestamp: INT64 },
    },
    subject: { type: 'string' },
  },
};

const OPERATION = {
  summary: 'GetTokens: one {"result": …} a line',
  security: BEARER,
  parameters: [ID_FILTER, { name: 'includeBlacklisted', in: 'query', schema: { type: 'boolean' } }],
  responses: {
    200: jsonAnswer('Token messages, newline-delimited; nothing where none is found', {
      result: TOKEN,
    }),
    ...RPC_ERRORS,
  },
};

/** `GET`: GetTokens (spec §4), as grpc-gateway would stream it. */
export const getTokensRoute = (path: string, issuer: ListingIssuer): Route => ({
  method: 'GET',
  path,
  purpose: 'get tokens',
  errors: rpcErrors,
  successLevel: 'debug',
  operation: OPERATION,
  /**
   * A bearer that asks about itself is told by the judgement of it, which is as good as any list; one that is blacklisted may ask for
   * nothing else (spec §5, existing verifiers).
   */
  handle: (request, reply, call) => {
    const query = tokenQueryOf(request);
    return mapAwaitable(issuer.authenticateSelf(call.authorization(), call), ({ bearer, own }) => {
      call.note({ client: bearer?.client ?? own?.client });
      if (isAboutItself(query, own) && (bearer !== undefined || query.includeBlacklisted)) {
        call.note({ tokens: 1 });
        return void reply
          .type(typeOf(request))
          .send(showsEmpty(request) ? lineOf(own, true) : ownLineOf(own));
      }
      if (bearer === undefined) throw blacklisted();
      return sendList(request, reply, { call, chunks: issuer.listTokens(bearer, query, call) });
    });
  },
});
