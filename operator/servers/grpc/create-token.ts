import type { CreateToken, TokenRequest } from '../../issuer/use-cases.ts';
import { CreateTokenRequest, CreateTokenResponse } from './generated/m2moauthserver/pb/service.ts';
import type { UnaryMethod } from './method.ts';
import { readMessage, writeMessage } from './wire.ts';

/** RFC 6750 §6.1.1. */
const BEARER = 'Bearer';

/** An int64 as a number: beyond what a number holds exactly lies nothing but "too late" and "not asked for". */
const secondsOf = (value: bigint): number => {
  if (value <= 0n) return 0;
  return value > BigInt(Number.MAX_SAFE_INTEGER) ? Number.MAX_SAFE_INTEGER : Number(value);
};

const requestOf = (message: CreateTokenRequest): TokenRequest => ({
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

/** CreateToken (spec §4): the request itself proves the client, a bearer is not looked at. */
export const createTokenMethod = (
  createToken: CreateToken,
): UnaryMethod<CreateTokenRequest, CreateTokenResponse> => ({
  name: 'CreateToken',
  purpose: 'create token',
  read: (bytes) => readMessage(CreateTokenRequest, bytes),
  write: (response) => writeMessage(CreateTokenResponse, response),
  successLevel: 'info',
  run: async (message, call) => {
    const token = await createToken(requestOf(message), call);
    call.note({ jti: token.id, client: token.clientID });
    return {
      accessToken: token.accessToken,
      tokenType: BEARER,
      expiresIn: BigInt(token.expiresInSeconds),
      scope: [...token.scope],
    };
  },
});
