import type { ObjectRef } from '../api/meta.ts';
import type { FairSemaphore } from '../async/fair-semaphore.ts';
import { OWNER_LABEL, ownerLabel } from '../domain/record/issued-token.ts';
import { batchOwnerLabel } from '../domain/record/token-batch.ts';
import type { ListRecordsOfOwner } from '../issuer/registry/delete-tokens.ts';
import { createLiveReads, type LiveReads, type RegistryReads } from '../issuer/registry/live-reads.ts';
import type { KubeClient } from '../kube/client.ts';
import { listWatchIssuedTokens, listWatchTokenBatches, type Selection } from '../kube/list-watch.ts';
import type { Cacheable, WritableCache } from '../ports/cache.ts';
import type { MonotonicClock } from '../ports/clock.ts';
import type { DecodedClient } from '../ports/decoded-client.ts';
import type { SecretMeta } from '../ports/secrets.ts';
import { type ListWatch, listPages } from '../ports/watch.ts';
import { type Informers, secretsOf } from './informers.ts';
import { decodedClients, type ResourceClients } from './resources.ts';

/** What reads of one kind of object need. */
interface Readable<T> {
  readonly cache: Pick<WritableCache<T>, 'get' | 'putIfNewer' | 'forget'>;
  readonly client: Pick<DecodedClient<T>, 'read'>;
}

/** What holds records, clients and metadata of Secrets: as caches hold them, and as the API server has them. */
export const objectsOf = (
  informers: Informers,
  resources: ResourceClients,
  readSecretMeta: (ref: ObjectRef, signal: AbortSignal) => Promise<SecretMeta | undefined>,
) => {
  const clients = decodedClients(resources);
  return {
    tokens: { cache: informers.tokens.cache, client: clients.tokens },
    issued: { cache: informers.issued.cache, client: clients.issued },
    batches: { cache: informers.batches.cache, client: clients.batches },
    clients: { cache: informers.clients.cache, client: clients.clients },
    secrets: { cache: secretsOf(informers), client: { read: readSecretMeta } },
  };
};

/** Reads that go into the caches, in one queue for all types, or at once. */
export const readsOf = (
  objects: ReturnType<typeof objectsOf>,
  queue: FairSemaphore | undefined,
  clock: MonotonicClock,
): RegistryReads => {
  const reads = <T extends Cacheable>({ cache, client }: Readable<T>): LiveReads<T> =>
    createLiveReads({ cache, readObject: (ref, signal) => client.read(ref, signal), queue, clock });
  return {
    tokens: reads(objects.tokens),
    issued: reads(objects.issued),
    batches: reads(objects.batches),
    clients: reads(objects.clients),
    secrets: reads(objects.secrets),
  };
};

/** Objects of one page of a consistent list. */
const PAGE = 500;

/** One list by a label in each scope. */
async function* listAll<T>(
  sourceIn: (selection: Selection) => ListWatch<T>,
  { scopes, labelSelector }: { scopes: readonly Selection[]; labelSelector: string },
  signal: AbortSignal,
): AsyncGenerator<readonly T[]> {
  for (const scope of scopes) {
    const source = sourceIn({ ...scope, labelSelector });
    yield* listPages(source, { limit: PAGE, signal });
  }
}

/** Lists the records of an owner's issued tokens by the owner label, in each scope that can have some. */
export const listOwnedIn = (client: KubeClient, scopes: () => readonly Selection[]): ListRecordsOfOwner => ({
  issued: (owner, signal) =>
    listAll(
      (selection) => listWatchIssuedTokens(client, selection),
      { scopes: scopes(), labelSelector: `${OWNER_LABEL}=${ownerLabel(owner)}` },
      signal,
    ),
  batches: (owner, signal) =>
    listAll(
      (selection) => listWatchTokenBatches(client, selection),
      { scopes: scopes(), labelSelector: batchOwnerLabel(owner) },
      signal,
    ),
});
