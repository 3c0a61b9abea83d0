import type { TokenRequest } from '../../domain/client/token-request.ts';
import type { TokenRecord } from '../../domain/record/token-record.ts';
import { checkIdFilter } from '../../issuer/registry/records.ts';
import type { Issuer } from '../../issuer/use-cases.ts';
import type { Log } from '../../ports/log.ts';
import type { StreamMethod, UnaryMethod } from './call.ts';
import {
  CreateTokenRequest,
  CreateTokenResponse,
  DeleteTokensRequest,
  DeleteTokensResponse,
  GetTokensRequest,
  Token,
} from './generated/m2moauthserver/pb/service.ts';
import { leavesOutClaims, tokenMessage } from './token-message.ts';
import { readMessage, writeMessage } from './wire.ts';

/** `token_type` of every token (RFC 6750 §6.1.1). */
const BEARER = 'Bearer';

/** An int64 as a number of seconds, clamped to what a number holds exactly; 0 (not requested) for negative values. */
const secondsOf = (value: bigint): number => {
  if (value <= 0n) return 0;
  return value > BigInt(Number.MAX_SAFE_INTEGER) ? Number.MAX_SAFE_INTEGER : Number(value);
};

const tokenRequestOf = (message: CreateTokenRequest): TokenRequest => ({
  clientID: message.clientId,
  clientSecret: message.clientSecret,
  assertionType: message.clientAssertionType,
  assertion: message.clientAssertion,
  grantType: message.grantType,
  audience: message.audience,
  scope: message.scope,
  expiration: secondsOf(message.expiration),
  tokenName: message.tokenName,
});

/** CreateToken (spec §4): the request itself authenticates the client; a bearer is ignored. */
export const createTokenMethod = ({
  createToken,
}: Pick<Issuer, 'createToken'>): UnaryMethod<CreateTokenRequest, CreateTokenResponse> => ({
  name: 'CreateToken',
  purpose: 'create token',
  read: (bytes) => readMessage(CreateTokenRequest, bytes),
  write: (response) => writeMessage(CreateTokenResponse, response),
  successLevel: 'info',
  run: async (message, call) => {
    const token = await createToken(tokenRequestOf(message), call);
    call.note({ jti: token.id, client: token.clientID });
    return {
      accessToken: token.accessToken,
      tokenType: BEARER,
      expiresIn: BigInt(token.expiresInSeconds),
      scope: [...token.scope],
    };
  },
});

/** Translates the records of one call into messages. Claims that no message can hold are left out; the first such record is logged. */
const createTranslator = (log: Log): ((record: TokenRecord) => Token) => {
  let isLogged = false;
  return (record) => {
    const leaveOut = leavesOutClaims(record);
    if (leaveOut && !isLogged) {
      isLogged = true;
      log.warn('original claims of a token do not fit into a message and are left out', { jti: record.id });
    }
    return tokenMessage(record, leaveOut);
  };
};

/** One message after the other, as each is needed: a client that does not read keeps none of the rest. */
function* translated(
  records: readonly TokenRecord[],
  translate: (record: TokenRecord) => Token,
): Generator<Token> {
  for (const record of records) yield translate(record);
}

/** GetTokens (spec §4): streams the tokens of the bearer's owner. */
export const getTokensMethod = (
  { authenticateBearer, listTokens }: Pick<Issuer, 'authenticateBearer' | 'listTokens'>,
  log: Log,
): StreamMethod<GetTokensRequest, Token> => ({
  name: 'GetTokens',
  purpose: 'get tokens',
  successLevel: 'debug',
  read: (bytes) => readMessage(GetTokensRequest, bytes),
  write: (response) => writeMessage(Token, response),
  async *run({ idFilter, includeBlacklisted }, call) {
    const ids = checkIdFilter(idFilter);
    const bearer = await authenticateBearer(call.authorization(), call);
    call.note({ client: bearer.client });
    const translate = createTranslator(log);
    let tokens = 0;
    for await (const records of listTokens(bearer, { ids, includeBlacklisted }, call)) {
      tokens += records.length;
      yield translated(records, translate);
    }
    call.note({ tokens });
  },
});

/** DeleteTokens (spec §4): blacklists or deletes tokens of the bearer's owner. */
export const deleteTokensMethod = ({
  authenticateBearer,
  deleteTokens,
}: Pick<Issuer, 'authenticateBearer' | 'deleteTokens'>): UnaryMethod<
  DeleteTokensRequest,
  DeleteTokensResponse
> => ({
  name: 'DeleteTokens',
  purpose: 'delete tokens',
  read: (bytes) => readMessage(DeleteTokensRequest, bytes),
  write: (response) => writeMessage(DeleteTokensResponse, response),
  successLevel: 'info',
  run: async ({ idFilter }, call) => {
    const ids = checkIdFilter(idFilter);
    const bearer = await authenticateBearer(call.authorization(), call);
    call.note({ client: bearer.client });
    const { blacklisted, deleted } = await deleteTokens(bearer, ids, call);
    call.note({ blacklisted, deleted });
    return { blacklistedCount: BigInt(blacklisted), deletedCount: BigInt(deleted) };
  },
});
