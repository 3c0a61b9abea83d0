import type { Issuer } from '../../issuer/use-cases.ts';
import { sendMessage } from './message-answer.ts';
import { BEARER, ID_FILTER, INT64, jsonAnswer, RPC_ERRORS } from './openapi-parts.ts';
import { deletedJson } from './protojson.ts';
import { idFilterOf, insistOnFilterAlone, queryOf } from './query.ts';
import type { Route } from './route.ts';
import { rpcErrors } from './rpc-errors.ts';

const OPERATION = {
  summary: 'DeleteTokens: revokes live tokens, deletes expired ones; without idFilter all of the owner’s',
  security: BEARER,
  parameters: [ID_FILTER],
  responses: {
    200: jsonAnswer('DeleteTokensResponse', {
      blacklistedCount: INT64,
      deletedCount: INT64,
    }),
    ...RPC_ERRORS,
  },
};

/** `DELETE`: DeleteTokens (spec §4); a body says nothing. */
export const deleteTokensRoute = (
  path: string,
  issuer: Pick<Issuer, 'authenticateBearer' | 'deleteTokens'>,
): Route => ({
  method: 'DELETE',
  path,
  purpose: 'delete tokens',
  errors: rpcErrors,
  successLevel: 'info',
  operation: OPERATION,
  handle: async (request, reply, call) => {
    const query = queryOf(request);
    insistOnFilterAlone(query);
    const ids = idFilterOf(query);
    const bearer = await issuer.authenticateBearer(call.authorization(), call);
    call.note({ client: bearer.client });
    const { blacklisted, deleted } = await issuer.deleteTokens(bearer, ids, call);
    call.note({ blacklisted, deleted });
    sendMessage(request, reply, deletedJson({ blacklisted, deleted }));
  },
});
