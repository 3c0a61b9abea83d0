import type { OAuthClient } from '../../../operator/api/oauth-client.ts';
import type { InTurn } from '../../../operator/issuer/authentication/remote-keys.ts';
import { clientIndexers } from '../../../operator/reconcilers/oauth-client/client-indexes.ts';
import { ObjectStore } from '../../../operator/runtime/object-store.ts';
import { recordedLog } from '../../support/quiet.ts';
import { makeClient } from '../domain/token/fake-token.ts';

/** `issuer.url` of these tests. */
export const ISSUER = 'https://issuer.example';
export const CLIENT_UID = '6f1f7a52-5c5e-4a7b-9f0e-2f3b1c9d8e77';

export type Authentication = OAuthClient['spec']['authentication'];

/** The client `app`, which holds its client ID, with that authentication. */
export const clientWith = (
  authentication: Authentication,
  spec: Partial<OAuthClient['spec']> = {},
  resourceVersion = '1',
): OAuthClient => {
  const client = makeClient({ allowedAudiences: [], ...spec, authentication }, CLIENT_UID);
  return { ...client, metadata: { ...client.metadata, resourceVersion } };
};

/** A cache of clients with the operator's own indexes, with its first list in. */
export const cacheOf = (...clients: OAuthClient[]): ObjectStore<OAuthClient> => {
  const store = new ObjectStore<OAuthClient>({ log: recordedLog(), indexers: clientIndexers() });
  for (const client of clients) store.putIfNewer(client);
  store.markSynced();
  return store;
};

/** Turns that always come at once. */
export const atOnce: InTurn = (check) => check();

/** A signal that never aborts. */
export const patient = new AbortController().signal;
