import type { OAuthClient } from '../../api/oauth-client.ts';
import { CLAIM_INDEX, claimOf } from '../../domain/client/client-rules.ts';
import type { Indexers } from '../../ports/cache.ts';

/** Names of the indexes of the OAuthClient cache. */
export const CLIENT_INDEX = {
  /** By the client ID that it asks for. */
  claim: CLAIM_INDEX,
} as const;

/** The index functions of the OAuthClient cache. */
export const CLIENT_INDEXERS: Indexers<OAuthClient> = {
  [CLIENT_INDEX.claim]: (client) => [claimOf(client)],
};
