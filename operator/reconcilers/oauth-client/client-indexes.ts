import type { OAuthClient } from '../../api/oauth-client.ts';
import { CLIENT_ID_INDEX, requestedClientID } from '../../domain/client/client-rules.ts';
import type { Indexers } from '../../ports/cache.ts';

/** Names of the indexes of the OAuthClient cache. */
export const CLIENT_INDEX = {
  /** By the client ID that it asks for. */
  claim: CLIENT_ID_INDEX,
} as const;

/** The index functions of the OAuthClient cache. */
export const CLIENT_INDEXERS: Indexers<OAuthClient> = {
  [CLIENT_INDEX.claim]: (client) => [requestedClientID(client)],
};
