import { clientKey } from '../domain/caller-address.ts';
import { isOwnToken, requestedClientID } from '../domain/client/client-rules.ts';
import { authenticateCaller } from './introspect-token.ts';
import { endTargetOf, type RevokeRecords } from './registry/revoke-records.ts';
import type { ValidateJwt } from './registry/validate-jwt.ts';
import type { AuthenticateClient, RevokeToken } from './use-cases.ts';

export interface RevokeTokenOptions {
  readonly authenticateClient: AuthenticateClient;
  readonly validateJwt: ValidateJwt;
  readonly revokeRecords: RevokeRecords;
}

/**
 * Makes {@link RevokeToken} (RFC 7009, spec §5): blacklists a valid token of the calling client, a declared token with all its JWTs.
 * Invalid tokens and those of other clients are ignored; the caller can't tell them apart.
 */
export const createRevokeToken =
  ({ authenticateClient, validateJwt, revokeRecords }: RevokeTokenOptions): RevokeToken =>
  async (token, credentials, call) => {
    const { client } = await authenticateCaller(authenticateClient, credentials, call);
    const clientID = requestedClientID(client);
    const validation = await validateJwt(token, call, client);
    if (validation.kind === 'invalid') return { clientID, id: undefined };
    const { record, claims } = validation;
    if (!isOwnToken(client, record, claims)) return { clientID, id: undefined };
    const { blacklisted, deleted } = await revokeRecords(endTargetOf(record), {
      key: clientKey(client.metadata, call),
      signal: call.signal,
    });
    return { clientID, id: blacklisted + deleted > 0 ? record.id : undefined };
  };
