import { API_VERSION, keyOf } from '../../api/meta.ts';
import type { OAuthClient } from '../../api/oauth-client.ts';
import { issuerOf, isUndecided, requestedClientID } from '../../domain/client/client-rules.ts';
import type { Cache, CacheChange } from '../../ports/cache.ts';
import type { SecretMeta } from '../../ports/secrets.ts';
import { CLIENT_INDEX, WITHOUT_ISSUER } from './client-indexes.ts';

/** Under which name a client follows its Secret (ports/secrets.ts, NamedSecrets). */
export const clientFollowerOf = (key: string): string => `OAuthClient/${key}`;

/** The client whose Secret changed, where a client follows it. */
export const clientOfFollower = (owner: string): string | undefined =>
  owner.startsWith('OAuthClient/') ? owner.slice('OAuthClient/'.length) : undefined;

/** Keys of clients whose registration a change of one concerns: itself, and all that ask for the same ID where its holder came, went, changed, or went to another issuer. */
export const clientTriggers = (change: CacheChange<OAuthClient>, clients: Cache<OAuthClient>): string[] => {
  const client = change.type === 'set' ? change.object : change.old;
  const before = change.old?.status?.clientID;
  const after = change.type === 'set' ? change.object.status?.clientID : undefined;
  const keys = new Set(change.type === 'set' ? [change.key] : []);
  const isMoved =
    change.old !== undefined &&
    (issuerOf(change.old) !== issuerOf(client) || isUndecided(change.old) !== isUndecided(client));
  if (before !== after || isMoved || change.type === 'delete') {
    for (const { metadata } of clients.byIndex(CLIENT_INDEX.claim, requestedClientID(client)))
      keys.add(keyOf(metadata));
  }
  return [...keys];
};

/** Keys of the clients whose issuer depends on which other installations there are: an earlier release that ends leaves some that no condition shows. */
export const clientsWithoutIssuer = (clients: Cache<OAuthClient>): string[] =>
  [...clients.byIndex(CLIENT_INDEX.withoutIssuer, WITHOUT_ISSUER)].map(({ metadata }) => keyOf(metadata));

/** The client that controls a Secret that the operator made, if one does. */
export const clientOfSecret = ({ metadata }: Pick<SecretMeta, 'metadata'>): string | undefined => {
  const owner = metadata.ownerReferences?.find(
    ({ controller, kind, apiVersion }) =>
      controller === true && kind === 'OAuthClient' && apiVersion === API_VERSION,
  );
  return owner && keyOf({ namespace: metadata.namespace, name: owner.name });
};
