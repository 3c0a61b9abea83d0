import { refOf } from '../../api/meta.ts';
import type { OAuthClient } from '../../api/oauth-client.ts';
import { BoundedMap } from '../../async/bounded-map.ts';
import { SingleFlight } from '../../async/single-flight.ts';
import type { CachedIssuedToken } from '../../domain/record/cached-issued-token.ts';
import type { ClientPresence } from '../../domain/record/record-plan.ts';
import type { Cache } from '../../ports/cache.ts';
import { getIfThere, type ResourceClient } from '../../ports/kube.ts';

export interface ClientPresenceReaderOptions {
  readonly clients: Pick<Cache<OAuthClient>, 'get'>;
  readonly oauthClients: Pick<ResourceClient<OAuthClient>, 'get'>;
}

type Named = Pick<CachedIssuedToken, 'client' | 'clientUID'>;

/** UIDs that are remembered as gone; the oldest go beyond this, and are read once more where a record still names one. */
const MAX_GONE = 1000;

/**
 * Whether the client that a record names by its UID exists. Only the API server can say that it is gone: it is asked
 * once for all records of a client. A UID that is gone stays so, so that answer is valid for records that are seen
 * later too; that it exists is only an answer for those who waited for it.
 */
export class ClientPresenceReader {
  readonly #options: ClientPresenceReaderOptions;
  readonly #gone = new BoundedMap<string, true>(MAX_GONE);
  readonly #reads = new SingleFlight<string, ClientPresence>();

  constructor(options: ClientPresenceReaderOptions) {
    this.#options = options;
  }

  /** What is known without asking. */
  of({ client, clientUID }: Named): ClientPresence {
    if (this.#options.clients.get(client)?.metadata.uid === clientUID) return 'Known';
    return this.#gone.has(clientUID) ? 'Gone' : 'Missing';
  }

  /** What the API server says; the record must have been seen before. @throws ApiError where it does not answer */
  ask(record: Named, signal: AbortSignal): Promise<ClientPresence> {
    return this.#reads.run(record.clientUID, () => this.#read(record, signal));
  }

  async #read({ client, clientUID }: Named, signal: AbortSignal): Promise<ClientPresence> {
    const live = await getIfThere(this.#options.oauthClients, refOf(client), signal);
    if (live?.metadata.uid === clientUID) return 'Ahead';
    this.#gone.set(clientUID, true);
    return 'Gone';
  }
}
