import { findCondition } from '../../api/meta.ts';
import type { OAuthClient } from '../../api/oauth-client.ts';
import {
  CLIENT_ID_INDEX,
  hasOwnLimit,
  issuerOf,
  requestedClientID,
} from '../../domain/client/client-rules.ts';
import { hasReachedLimit } from '../../domain/client/limit-condition.ts';
import type { Indexers } from '../../ports/cache.ts';

/** Names of the indexes of the OAuthClient cache. */
export const CLIENT_INDEX = {
  /** By the client ID that it asks for, without those of other issuers. */
  claim: CLIENT_ID_INDEX,
  /** By the reason of `Ready`: every client once; {@link OTHER_ISSUER} for those of other issuers, {@link UNREGISTERED} before there is one. */
  state: 'state',
  /** Those with a limit of their own, under {@link LIMITED}. */
  limited: 'limited',
  /** Those with condition `LimitReached`, under {@link LIMITED}. */
  limitReached: 'limitReached',
  /** Those whose issuer neither spec nor status names, whatever their `Ready` says, under {@link WITHOUT_ISSUER}. */
  withoutIssuer: 'withoutIssuer',
} as const;

/** Values of {@link CLIENT_INDEX.state} beside the reasons of `Ready`; also labels of a metric. */
export const OTHER_ISSUER = 'OtherIssuer';
export const UNREGISTERED = 'Unregistered';

/** The one value of {@link CLIENT_INDEX.limited} and {@link CLIENT_INDEX.limitReached}. */
export const LIMITED = 'own';
/** The one value of {@link CLIENT_INDEX.withoutIssuer}. */
export const WITHOUT_ISSUER = 'none';
const OWN: readonly string[] = [LIMITED];
const UNDECIDED: readonly string[] = [WITHOUT_ISSUER];
const NONE: readonly string[] = [];

/** The index functions of the OAuthClient cache. `isOther` says which clients belong to other issuers; default none. */
export const clientIndexers = (
  isOther: (client: OAuthClient) => boolean = () => false,
): Indexers<OAuthClient> => ({
  [CLIENT_INDEX.claim]: (client) => (isOther(client) ? NONE : [requestedClientID(client)]),
  [CLIENT_INDEX.state]: (client) => [
    isOther(client)
      ? OTHER_ISSUER
      : (findCondition(client.status?.conditions, 'Ready')?.reason ?? UNREGISTERED),
  ],
  [CLIENT_INDEX.limitReached]: (client) => (!isOther(client) && hasReachedLimit(client) ? OWN : NONE),
  [CLIENT_INDEX.limited]: (client) => (!isOther(client) && hasOwnLimit(client) ? OWN : NONE),
  [CLIENT_INDEX.withoutIssuer]: (client) => (issuerOf(client) === undefined ? UNDECIDED : NONE),
});
