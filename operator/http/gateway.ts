import type { FastifyReply, FastifyRequest } from 'fastify';
import type { TokenRecord } from '../domain/token-record.ts';
import { IssuerFailure } from '../issuer/failure.ts';
import type { Issuer, TokenQuery } from '../issuer/use-cases.ts';
import type { HttpCall } from './http-call.ts';
import { HttpFailure, TEXTS } from './http-failure.ts';
import { jsonAnswer, RPC_ERRORS } from './openapi-parts.ts';
import { mediaTypeOf, queryParameters, textOf } from './parameters.ts';
import { createdJson, deletedJson, readCreateRequest, tokenJson } from './protojson.ts';
import type { Route } from './route.ts';
import { rpcErrors } from './rpc-errors.ts';
import { streamLines } from './stream-lines.ts';

/** What the three calls are made of. */
export type GatewayIssuer = Pick<
  Issuer,
  'createToken' | 'authenticateBearer' | 'authenticateSelf' | 'listTokens' | 'deleteTokens'
>;

const PROTOJSON = 'application/protojson';

/** Whether empty fields are to be shown. */
const showsEmpty = ({ headers }: FastifyRequest): boolean => headers.accept?.includes(PROTOJSON) ?? false;

const typeOf = (request: FastifyRequest): string => (showsEmpty(request) ? PROTOJSON : 'application/json');

/** `idFilter` may be repeated; the proto's own spelling is as good. */
const idFilterOf = (query: URLSearchParams): string[] => [
  ...query.getAll('idFilter'),
  ...query.getAll('id_filter'),
];

const flagOf = (query: URLSearchParams, ...names: string[]): boolean => {
  const values = names.flatMap((name) => query.getAll(name));
  const [value = 'false', ...rest] = values;
  if (rest.length > 0 || !['true', 'false'].includes(value)) {
    throw new IssuerFailure('Malformed', `${names[0]} has to be true or false, once`);
  }
  return value === 'true';
};

const tokenQueryOf = (request: FastifyRequest): TokenQuery => {
  const query = queryParameters(request);
  return {
    ids: idFilterOf(query),
    includeBlacklisted: flagOf(query, 'includeBlacklisted', 'include_blacklisted'),
  };
};

const isAboutItself = ({ ids }: TokenQuery, own: TokenRecord | undefined): own is TokenRecord =>
  own !== undefined && ids.length === 1 && ids[0] === own.id;

/** What a query finds: a bearer that asks about itself is told by the judgement of it, which is as good as any list. */
async function* find(
  issuer: GatewayIssuer,
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

const createRoute = (path: string, issuer: GatewayIssuer): Route => ({
  method: 'POST',
  path,
  purpose: 'create token',
  errors: rpcErrors,
  successLevel: 'info',
  operation: {
    summary: 'CreateToken',
    requestBody: { required: true, content: { 'application/json': { schema: { type: 'object' } } } },
    responses: { 200: jsonAnswer('CreateTokenResponse', { accessToken: { type: 'string' } }), ...RPC_ERRORS },
  },
  handle: async (request, reply, call) => {
    const type = mediaTypeOf(request);
    if (type === 'application/x-www-form-urlencoded' || type.startsWith('multipart/')) {
      throw new HttpFailure(415, TEXTS[415] ?? '');
    }
    const token = await issuer.createToken(readCreateRequest(textOf(request.body)), call);
    call.note({ jti: token.id, client: token.clientID });
    send(request, reply, createdJson(token, showsEmpty(request)));
  },
});

const send = (request: FastifyRequest, reply: FastifyReply, message: object): void =>
  void reply.type(typeOf(request)).send(JSON.stringify(message));

const listRoute = (path: string, issuer: GatewayIssuer): Route => ({
  method: 'GET',
  path,
  purpose: 'get tokens',
  errors: rpcErrors,
  successLevel: 'debug',
  operation: {
    summary: 'GetTokens: one {"result": …} a line',
    security: [{ bearer: [] }],
    parameters: [
      { name: 'idFilter', in: 'query', schema: { type: 'array', items: { type: 'string' }, maxItems: 1000 } },
      { name: 'includeBlacklisted', in: 'query', schema: { type: 'boolean' } },
    ],
    responses: {
      200: jsonAnswer('Token messages, newline-delimited', { result: { type: 'object' } }),
      ...RPC_ERRORS,
    },
  },
  handle: async (request, reply, call) => {
    const query = tokenQueryOf(request);
    const empty = showsEmpty(request);
    const lines = (records: readonly TokenRecord[]): string =>
      records.map((record) => `${JSON.stringify({ result: tokenJson(record, empty) })}\n`).join('');
    await streamLines(reply, { type: typeOf(request), chunks: find(issuer, query, call), lines, call });
  },
});

const deleteRoute = (path: string, issuer: GatewayIssuer): Route => ({
  method: 'DELETE',
  path,
  purpose: 'delete tokens',
  errors: rpcErrors,
  successLevel: 'info',
  operation: {
    summary: 'DeleteTokens: revokes live tokens, deletes expired ones',
    security: [{ bearer: [] }],
    parameters: [
      { name: 'idFilter', in: 'query', schema: { type: 'array', items: { type: 'string' }, maxItems: 1000 } },
    ],
    responses: {
      200: jsonAnswer('DeleteTokensResponse', {
        blacklistedCount: { type: 'string' },
        deletedCount: { type: 'string' },
      }),
      ...RPC_ERRORS,
    },
  },
  handle: async (request, reply, call) => {
    const ids = idFilterOf(queryParameters(request));
    const bearer = await issuer.authenticateBearer(call.authorization(), call);
    call.note({ client: bearer.client });
    const deleted = await issuer.deleteTokens(bearer, ids, call);
    call.note({ ...deleted });
    send(request, reply, deletedJson(deleted));
  },
});

/** `{base}/api/v1/tokens`: the calls of M2MOAuthService as grpc-gateway would map them (contract §5). */
export const gatewayRoutes = (base: string, issuer: GatewayIssuer): Route[] => {
  const path = `${base}/api/v1/tokens`;
  return [createRoute(path, issuer), listRoute(path, issuer), deleteRoute(path, issuer)];
};
