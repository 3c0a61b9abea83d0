import type { FairSemaphore } from '../async/fair-semaphore.ts';
import { OWNER_LABEL, ownerLabel } from '../domain/record/issued-token.ts';
import { batchOwnerLabel } from '../domain/record/token-batch.ts';
import type { ListRecordsOfOwner } from '../issuer/registry/delete-tokens.ts';
import { createLiveReads, type LiveReads, type RegistryReads } from '../issuer/registry/live-reads.ts';
import type { Objects } from '../issuer/registry/revoke-records.ts';
import type { KubeClient } from '../kube/client.ts';
import { listWatchIssuedTokens, listWatchTokenBatches, type Selection } from '../kube/list-watch.ts';
import type { Cacheable } from '../ports/cache.ts';
import type { MonotonicClock } from '../ports/clock.ts';
import type { ListWatch } from '../ports/watch.ts';
import type { Informers } from './informers.ts';
import { decodedClients, type ResourceClients } from './resources.ts';

/** What holds records, and clients: as caches hold them, and as the API server has them. */
export const objectsOf = (informers: Informers, resources: ResourceClients) => {
  const clients = decodedClients(resources);
  return {
    tokens: { cache: informers.tokens.cache, client: clients.tokens },
    issued: { cache: informers.issued.cache, client: clients.issued },
    batches: { cache: informers.batches.cache, client: clients.batches },
    clients: { cache: informers.clients.cache, client: clients.clients },
  };
};

/** Reads that go into the caches, in one queue for all types. */
export const readsOf = (
  objects: ReturnType<typeof objectsOf>,
  queue: FairSemaphore,
  clock: MonotonicClock,
): RegistryReads => {
  const reads = <T extends Cacheable>({ cache, client }: Objects<T>): LiveReads<T> =>
    createLiveReads({ cache, readObject: (ref, signal) => client.read(ref, signal), queue, clock });
  return {
    tokens: reads(objects.tokens),
    issued: reads(objects.issued),
    batches: reads(objects.batches),
    clients: reads(objects.clients),
  };
};

/** Objects of one page of a consistent list. */
const PAGE = 500;

/** One list by a label in each watched namespace: quorum reads, since no resourceVersion is given. */
async function* listAll<T>(
  sourceIn: (selection: Selection) => ListWatch<T>,
  { watchNamespaces, labelSelector }: { watchNamespaces: readonly string[]; labelSelector: string },
  signal: AbortSignal,
): AsyncGenerator<readonly T[]> {
  const scopes = watchNamespaces.length === 0 ? [{}] : watchNamespaces.map((namespace) => ({ namespace }));
  for (const scope of scopes) {
    const source = sourceIn({ ...scope, labelSelector });
    let continueToken: string | undefined;
    do {
      const page = await source.list({ limit: PAGE, continueToken, signal });
      yield page.items;
      continueToken = page.continueToken;
    } while (continueToken !== undefined);
  }
}

/** Lists the records of an owner's issued tokens by the owner label. */
export const listOwnedIn = (client: KubeClient, watchNamespaces: readonly string[]): ListRecordsOfOwner => ({
  issued: (owner, signal) =>
    listAll(
      (selection) => listWatchIssuedTokens(client, selection),
      { watchNamespaces, labelSelector: `${OWNER_LABEL}=${ownerLabel(owner)}` },
      signal,
    ),
  batches: (owner, signal) =>
    listAll(
      (selection) => listWatchTokenBatches(client, selection),
      { watchNamespaces, labelSelector: batchOwnerLabel(owner) },
      signal,
    ),
});
