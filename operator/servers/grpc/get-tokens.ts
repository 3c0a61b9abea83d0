import type { TokenRecord } from '../../domain/record/token-record.ts';
import { checkIdFilter } from '../../issuer/id-filter.ts';
import type { Issuer } from '../../issuer/use-cases.ts';
import type { Log } from '../../ports/log.ts';
import { GetTokensRequest, Token } from './generated/m2moauthserver/pb/service.ts';
import type { StreamMethod } from './method.ts';
import { leavesOutClaims, tokenMessage } from './token-message.ts';
import { readMessage, writeMessage } from './wire.ts';

/** Makes messages of one call's records. Claims that no message can hold are left out, and the log is told of the first. */
const createTranslator = (log: Log): ((record: TokenRecord) => Token) => {
  let told = false;
  return (record) => {
    const leaveOut = leavesOutClaims(record);
    if (leaveOut && !told) {
      told = true;
      log.warn('original claims of a token fit no message and are left out', { jti: record.id });
    }
    return tokenMessage(record, leaveOut);
  };
};

/** GetTokens (spec §4): the tokens of the bearer's owner. */
export const getTokensMethod = (
  issuer: Pick<Issuer, 'authenticateBearer' | 'listTokens'>,
  log: Log,
): StreamMethod<GetTokensRequest, Token> => ({
  name: 'GetTokens',
  purpose: 'get tokens',
  successLevel: 'debug',
  read: (bytes) => readMessage(GetTokensRequest, bytes),
  write: (response) => writeMessage(Token, response),
  async *run({ idFilter, includeBlacklisted }, call) {
    const ids = checkIdFilter(idFilter);
    const bearer = await issuer.authenticateBearer(call.authorization(), call);
    call.note({ client: bearer.client });
    const translate = createTranslator(log);
    let tokens = 0;
    for await (const records of issuer.listTokens(bearer, { ids, includeBlacklisted }, call)) {
      tokens += records.length;
      yield records.map(translate);
    }
    call.note({ tokens });
  },
});
