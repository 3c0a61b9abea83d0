import type { FastifyReply, FastifyRequest } from 'fastify';
import { memoizeFrozen } from '../../async/bounded-map.ts';
import { mapAwaitable } from '../../async/map-awaitable.ts';
import type { TokenRecord } from '../../domain/record/token-record.ts';
import { invalidBearer } from '../../issuer/authentication/authenticate-bearer.ts';
import { IssuerFailure } from '../../issuer/failure.ts';
import { checkIdFilter } from '../../issuer/registry/records.ts';
import type { Issuer, TokenQuery } from '../../issuer/use-cases.ts';
import { mediaTypeOf, textOf } from './body.ts';
import { CREATE_TOKEN, DELETE_TOKENS, GET_TOKENS } from './gateway-operations.ts';
import { HttpFailure } from './http-failure.ts';
import { createdJson, deletedJson, readCreateRequest, tokenJson } from './protojson.ts';
import { targetOf } from './request-target.ts';
import type { HttpRequestContext, Route } from './route.ts';
import { rpcErrors } from './rpc-errors.ts';
import { streamLines } from './stream-lines.ts';

/** The use cases behind the gateway. */
export type GatewayIssuer = Pick<
  Issuer,
  'createToken' | 'authenticateBearer' | 'authenticateSelf' | 'listTokens' | 'deleteTokens'
>;

/** `Accept` with this type asks for empty fields to be included (spec §5). */
const PROTOJSON = 'application/protojson';

/** Whether empty fields are included in the answer. */
const showsEmpty = ({ headers }: FastifyRequest): boolean => headers.accept?.includes(PROTOJSON) ?? false;

const contentTypeOf = (request: FastifyRequest): string =>
  `${showsEmpty(request) ? PROTOJSON : 'application/json'}; charset=utf-8`;

const sendMessage = (request: FastifyRequest, reply: FastifyReply, message: object): void =>
  void reply.type(contentTypeOf(request)).send(JSON.stringify(message));

const malformed = (message: string): IssuerFailure => new IssuerFailure('Malformed', message);

/** The names of a field in a query: that of ProtoJSON, and that of the proto. */
type FieldNames = readonly [json: string, proto: string];

const ID_FILTER: FieldNames = ['idFilter', 'id_filter'];
const INCLUDE_BLACKLISTED: FieldNames = ['includeBlacklisted', 'include_blacklisted'];

/** The texts that grpc-gateway reads as a bool. */
const TRUE: readonly string[] = ['1', 't', 'T', 'TRUE', 'true', 'True'];
const FALSE: readonly string[] = ['0', 'f', 'F', 'FALSE', 'false', 'False'];

/** The query of the request's URL, parsed as a form. */
const queryOf = ({ raw }: FastifyRequest): URLSearchParams => new URLSearchParams(targetOf(raw.url).query);

const valuesOf = (query: URLSearchParams, [json, proto]: FieldNames): string[] => [
  ...query.getAll(json),
  ...query.getAll(proto),
];

/** @throws IssuerFailure `Malformed` */
const idFilterOf = (query: URLSearchParams): readonly string[] => checkIdFilter(valuesOf(query, ID_FILTER));

/** @throws IssuerFailure `Malformed` */
const includesBlacklisted = (query: URLSearchParams): boolean => {
  const [value = 'false', ...rest] = valuesOf(query, INCLUDE_BLACKLISTED);
  if (rest.length === 0 && TRUE.includes(value)) return true;
  if (rest.length === 0 && FALSE.includes(value)) return false;
  throw malformed('includeBlacklisted has to be true or false, once');
};

/** Rejects other parameters than the filter: ignoring a misspelled filter would delete all tokens. @throws IssuerFailure `Malformed` */
const rejectOtherParameters = (query: URLSearchParams): void => {
  for (const name of query.keys()) {
    if (!ID_FILTER.includes(name)) throw malformed('the query has a parameter other than idFilter');
  }
};

/** Forms: a page of another site can send them without a CORS preflight. Every other type is read as JSON. */
const isForm = (type: string): boolean =>
  type === 'application/x-www-form-urlencoded' || type.startsWith('multipart/');

/** `POST`: CreateToken (spec §4). The request itself authenticates the client; a bearer is ignored. */
const createTokenRoute = (path: string, { createToken }: GatewayIssuer): Route => ({
  method: 'POST',
  path,
  purpose: 'create token',
  errors: rpcErrors,
  successLevel: 'info',
  operation: CREATE_TOKEN,
  handle: async (request, reply, call) => {
    if (isForm(mediaTypeOf(request))) throw new HttpFailure(415);
    const token = await createToken(readCreateRequest(textOf(request)), call);
    call.note({ jti: token.id, client: token.clientID });
    sendMessage(request, reply, createdJson(token, showsEmpty(request)));
  },
});

const isAboutItself = ({ ids }: TokenQuery, own: TokenRecord | undefined): own is TokenRecord =>
  own !== undefined && ids.length === 1 && ids[0] === own.id;

const lineOf = (record: TokenRecord, empty: boolean): string =>
  `${JSON.stringify({ result: tokenJson(record, empty) })}\n`;

/** Verifiers ask for the same token repeatedly. */
const ownLineOf = memoizeFrozen((record: TokenRecord) => lineOf(record, false));

/** Streams the tokens, as fast as the client reads. @throws IssuerFailure */
const sendList = async (
  request: FastifyRequest,
  reply: FastifyReply,
  { call, chunks }: { call: HttpRequestContext; chunks: AsyncIterable<readonly TokenRecord[]> },
): Promise<void> => {
  const empty = showsEmpty(request);
  let tokens = 0;
  const line = (record: TokenRecord): string => {
    tokens += 1;
    return lineOf(record, empty);
  };
  try {
    await streamLines(reply, { type: contentTypeOf(request), chunks, line, call });
  } finally {
    call.note({ tokens });
  }
};

/** `GET`: GetTokens (spec §4), streamed as grpc-gateway does. */
const getTokensRoute = (path: string, { authenticateSelf, listTokens }: GatewayIssuer): Route => ({
  method: 'GET',
  path,
  purpose: 'get tokens',
  errors: rpcErrors,
  successLevel: 'debug',
  operation: GET_TOKENS,
  /**
   * A bearer that asks about itself is answered from its validation, which is as current as a list; a blacklisted one may ask for
   * nothing else (spec §5, existing verifiers).
   */
  handle: (request, reply, call) => {
    const parameters = queryOf(request);
    const query = { ids: idFilterOf(parameters), includeBlacklisted: includesBlacklisted(parameters) };
    return mapAwaitable(authenticateSelf(call.authorization(), call), ({ bearer, own }) => {
      call.note({ client: bearer?.client ?? own?.client });
      if (isAboutItself(query, own) && (bearer !== undefined || query.includeBlacklisted)) {
        call.note({ tokens: 1 });
        const line = showsEmpty(request) ? lineOf(own, true) : ownLineOf(own);
        return void reply.type(contentTypeOf(request)).send(line);
      }
      if (bearer === undefined) {
        throw invalidBearer('blacklisted, and asks for more than itself');
      }
      return sendList(request, reply, { call, chunks: listTokens(bearer, query, call) });
    });
  },
});

/** `DELETE`: DeleteTokens (spec §4). A body is ignored. */
const deleteTokensRoute = (path: string, { authenticateBearer, deleteTokens }: GatewayIssuer): Route => ({
  method: 'DELETE',
  path,
  purpose: 'delete tokens',
  errors: rpcErrors,
  successLevel: 'info',
  operation: DELETE_TOKENS,
  handle: async (request, reply, call) => {
    const query = queryOf(request);
    rejectOtherParameters(query);
    const ids = idFilterOf(query);
    const bearer = await authenticateBearer(call.authorization(), call);
    call.note({ client: bearer.client });
    const counts = await deleteTokens(bearer, ids, call);
    call.note({ ...counts });
    sendMessage(request, reply, deletedJson(counts));
  },
});

/** `{base}/api/v1/tokens`: the methods of M2MOAuthService as grpc-gateway maps them to HTTP (spec §5). */
export const gatewayRoutes = (base: string, issuer: GatewayIssuer): Route[] => {
  const path = `${base}/api/v1/tokens`;
  return [createTokenRoute, getTokensRoute, deleteTokensRoute].map((route) => route(path, issuer));
};
