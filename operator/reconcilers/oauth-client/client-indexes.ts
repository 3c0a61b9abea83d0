import type { OAuthClient } from '../../api/oauth-client.ts';
import { CLIENT_ID_INDEX, hasOwnLimit, requestedClientID } from '../../domain/client/client-rules.ts';
import { hasReachedLimit } from '../../domain/client/limit-condition.ts';
import type { Indexers } from '../../ports/cache.ts';

/** Names of the indexes of the OAuthClient cache. */
export const CLIENT_INDEX = {
  /** By the client ID that it asks for. */
  claim: CLIENT_ID_INDEX,
  /** Those with a limit of their own, under {@link LIMITED}. */
  limited: 'limited',
  /** Those with condition `LimitReached`, under {@link LIMITED}. */
  limitReached: 'limitReached',
} as const;

/** The one value of {@link CLIENT_INDEX.limited} and {@link CLIENT_INDEX.limitReached}. */
export const LIMITED = 'own';
const OWN: readonly string[] = [LIMITED];
const NONE: readonly string[] = [];

/** The index functions of the OAuthClient cache. */
export const CLIENT_INDEXERS: Indexers<OAuthClient> = {
  [CLIENT_INDEX.claim]: (client) => [requestedClientID(client)],
  [CLIENT_INDEX.limitReached]: (client) => (hasReachedLimit(client) ? OWN : NONE),
  [CLIENT_INDEX.limited]: (client) => (hasOwnLimit(client) ? OWN : NONE),
};
