import { checkIdFilter } from '../../issuer/id-filter.ts';
import type { Issuer } from '../../issuer/use-cases.ts';
import { DeleteTokensRequest, DeleteTokensResponse } from './generated/m2moauthserver/pb/service.ts';
import type { UnaryMethod } from './method.ts';
import { readMessage, writeMessage } from './wire.ts';

/** DeleteTokens (spec §4): blacklists or deletes tokens of the bearer's owner. */
export const deleteTokensMethod = (
  issuer: Pick<Issuer, 'authenticateBearer' | 'deleteTokens'>,
): UnaryMethod<DeleteTokensRequest, DeleteTokensResponse> => ({
  name: 'DeleteTokens',
  purpose: 'delete tokens',
  read: (bytes) => readMessage(DeleteTokensRequest, bytes),
  write: (response) => writeMessage(DeleteTokensResponse, response),
  successLevel: 'info',
  run: async ({ idFilter }, call) => {
    const ids = checkIdFilter(idFilter);
    const bearer = await issuer.authenticateBearer(call.authorization(), call);
    call.note({ client: bearer.client });
    const { blacklisted, deleted } = await issuer.deleteTokens(bearer, ids, call);
    call.note({ blacklisted, deleted });
    return { blacklistedCount: BigInt(blacklisted), deletedCount: BigInt(deleted) };
  },
});
