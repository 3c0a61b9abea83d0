import { MANAGER } from '../api/meta.ts';
import type { Config } from '../config/schema.ts';
import type { KubeClient } from '../kube/client.ts';
import { listWatchObjects, listWatchSigningKeys } from '../kube/list-watch.ts';
import { LEASES } from '../kube/resource-client.ts';
import type { Lease } from '../ports/lease.ts';
import type { Keyring } from '../ports/signing.ts';
import { type ListWatch, listPages } from '../ports/watch.ts';
import { kidsOfClient } from '../reconcilers/oauth-client/client-kids.ts';
import { Installations, type InstallationsOptions } from '../reconcilers/oauth-client/installations.ts';
import { createOwnClients } from '../reconcilers/oauth-client/own-clients.ts';
import type { WatchedIssuers } from './client-reconcilers.ts';
import type { Informers } from './informers.ts';
import type { ReconcilerParts } from './reconciler-parts.ts';

type Settings = Pick<Config, 'kubernetes' | 'issuer'>;

/** Objects of one page of a list. */
const PAGE = 500;

/** Every page: tenants can create Leases, which must not hide those of installations. */
const listAll = async <T>(source: ListWatch<T>, signal: AbortSignal): Promise<readonly T[]> => {
  const all: T[] = [];
  for await (const items of listPages(source, { limit: PAGE, signal })) all.push(...items);
  return all;
};

/** Builds what knows the other installations. The permission to list their Leases is for this name alone, which the field selector has to state. */
export const buildInstallations = (
  { kubernetes: { namespace }, issuer }: Settings,
  {
    client,
    ...around
  }: Pick<InstallationsOptions, 'onConflict' | 'isLeading' | 'clock' | 'log'> & {
    readonly client: KubeClient;
  },
): Installations => {
  const leases = listWatchObjects<Lease>(client, LEASES, { fieldSelector: `metadata.name=${MANAGER}` });
  const signingKeys = listWatchSigningKeys(client);
  return new Installations({
    ...around,
    namespace,
    urls: issuer,
    listLeases: (signal) => listAll(leases, signal),
    listSigningKeys: (signal) => listAll(signingKeys, signal),
  });
};

/** What reconcilers know of the issuers to which clients belong. */
export const ownershipParts = (
  { kubernetes, issuer }: Settings,
  {
    installations,
    informers,
    keyring,
  }: {
    readonly installations: Installations;
    readonly informers: Informers;
    readonly keyring: Pick<Keyring, 'phase'>;
  },
): Required<Pick<ReconcilerParts, 'ownClients'>> & { readonly issuers: WatchedIssuers } => ({
  ownClients: createOwnClients({
    urls: issuer,
    watchNamespaces: kubernetes.watchNamespaces,
    others: () => installations.known,
  }),
  issuers: {
    others: () => installations.others(),
    refresh: () => installations.refresh(),
    onChange: (handler) => installations.onChange(handler),
    isOwnKid: (kid) => keyring.phase(kid) !== undefined,
    kidsOf: (client) =>
      kidsOfClient(
        {
          tokens: informers.tokens.cache,
          issued: informers.issued.cache,
          batches: informers.batches.cache,
        },
        client,
      ),
  },
});
