import type { TokenRecord } from '../domain/token-record.ts';
import type { Issuer } from '../issuer/use-cases.ts';
import { GetTokensRequest, Token } from './generated/m2moauthserver/pb/service.ts';
import { checkIdFilter } from './id-filter.ts';
import type { StreamMethod } from './method.ts';
import { tokenMessage } from './token-message.ts';
import { readMessage, writeMessage } from './wire.ts';

/** GetTokens (contract §4): the tokens of the bearer's owner. */
export const getTokensMethod = (
  issuer: Pick<Issuer, 'authenticateBearer' | 'listTokens'>,
): StreamMethod<GetTokensRequest, Token> => ({
  name: 'GetTokens',
  purpose: 'get tokens',
  read: (bytes) => readMessage(GetTokensRequest, bytes),
  write: (response) => writeMessage(Token, response),
  successLevel: 'debug',
  async *run({ idFilter, includeBlacklisted }, call) {
    const ids = checkIdFilter(idFilter);
    const bearer = await issuer.authenticateBearer(call.authorization(), call);
    call.note({ client: bearer.client });
    let count = 0;
    for await (const records of issuer.listTokens(bearer, { ids, includeBlacklisted }, call)) {
      count += records.length;
      yield records.map((record: TokenRecord) => tokenMessage(record));
    }
    call.note({ tokens: count });
  },
});
