import type { FastifyRequest } from 'fastify';
import type { TokenRecord } from '../domain/token-record.ts';
import { IssuerFailure } from '../issuer/failure.ts';
import type { Issuer, TokenQuery } from '../issuer/use-cases.ts';
import type { HttpCall } from './http-call.ts';
import { showsEmpty, typeOf } from './message-answer.ts';
import { BEARER, ID_FILTER, INT64, jsonAnswer, RPC_ERRORS } from './openapi-parts.ts';
import { tokenJson } from './protojson.ts';
import { idFilterOf, includesBlacklisted, queryOf } from './query.ts';
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

/**
 * What a query finds. A bearer that asks about itself is told by the judgement of it, which is as good as any list; one that is
 * blacklisted may ask for nothing else (contract §5, existing verifiers).
 */
async function* find(
  issuer: ListingIssuer,
  query: TokenQuery,
  call: HttpCall,
): AsyncGenerator<readonly TokenRecord[]> {
  const { bearer, own } = await issuer.authenticateSelf(call.authorization(), call);
  call.note({ client: bearer?.client ?? own?.client });
  if (isAboutItself(query, own) && (bearer !== undefined || query.includeBlacklisted)) {
    yield [own];
    return;
  }
  if (bearer === undefined) {
    throw new IssuerFailure('BearerInvalid', 'the bearer is missing or not good', {
      detail: 'blacklisted, and asks for more than itself',
    });
  }
  yield* issuer.listTokens(bearer, query, call);
}

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

/** `GET`: GetTokens (contract §4), as grpc-gateway would stream it. */
export const getTokensRoute = (path: string, issuer: ListingIssuer): Route => ({
  method: 'GET',
  path,
  purpose: 'get tokens',
  errors: rpcErrors,
  successLevel: 'debug',
  operation: OPERATION,
  handle: async (request, reply, call) => {
    const chunks = find(issuer, tokenQueryOf(request), call);
    const empty = showsEmpty(request);
    let tokens = 0;
    const lines = (records: readonly TokenRecord[]): string => {
      tokens += records.length;
      return records.map((record) => `${JSON.stringify({ result: tokenJson(record, empty) })}\n`).join('');
    };
    try {
      await streamLines(reply, { type: typeOf(request), chunks, lines, call });
    } finally {
      call.note({ tokens });
    }
  },
});
