import { refOf } from '../../api/meta.ts';
import type { OAuthClient } from '../../api/oauth-client.ts';
import { BoundedMap } from '../../async/bounded-map.ts';
import { SingleFlight } from '../../async/single-flight.ts';
import type { CachedIssuedToken } from '../../domain/record/cached-issued-token.ts';
import type { ClientPresence } from '../../domain/record/record-plan.ts';
import type { Cache } from '../../ports/cache.ts';
import type { Clock } from '../../ports/clock.ts';
import { getIfThere, type ResourceClient } from '../../ports/kube.ts';

export interface ClientPresenceReaderOptions {
  readonly clients: Pick<Cache<OAuthClient>, 'get'>;
  readonly oauthClients: Pick<ResourceClient<OAuthClient>, 'get'>;
  readonly clock: Clock;
}

type Named = Pick<CachedIssuedToken, 'client' | 'clientUID'>;

/** UIDs that are remembered as gone; the oldest go beyond this, and are read once more where a record still names one. */
const MAX_GONE = 1000;
/** A restore of etcd brings a UID back: the API server is asked again after so long. */
const GONE_FOR_MS = 10_000;

/**
 * Whether the client that a record names by its UID exists. Only the API server can say that it is gone: it is asked
 * once for all records of a client. That a UID is gone is valid for a while for records that are seen later too; that it
 * exists is only an answer for those who waited for it.
 */
export class ClientPresenceReader {
  readonly #options: ClientPresenceReaderOptions;
  /** By UID, when the API server said so, in epoch milliseconds. */
  readonly #gone = new BoundedMap<string, number>(MAX_GONE);
  readonly #reads = new SingleFlight<string, ClientPresence>();

  constructor(options: ClientPresenceReaderOptions) {
    this.#options = options;
  }

  /** What is known without asking. */
  of({ client, clientUID }: Named): ClientPresence {
    if (this.#options.clients.get(client)?.metadata.uid === clientUID) return 'Known';
    return this.#isGone(clientUID) ? 'Gone' : 'Missing';
  }

  /** A clock that was set back makes an answer old, not young for longer. */
  #isGone(clientUID: string): boolean {
    const saidAt = this.#gone.get(clientUID);
    if (saidAt === undefined) return false;
    const age = this.#options.clock.now() - saidAt;
    if (age >= 0 && age < GONE_FOR_MS) return true;
    this.#gone.delete(clientUID);
    return false;
  }

  /** What the API server says; the record must have been seen before. @throws ApiError where it does not answer */
  ask(record: Named, signal: AbortSignal): Promise<ClientPresence> {
    return this.#reads.run(record.clientUID, () => this.#read(record, signal));
  }

  async #read({ client, clientUID }: Named, signal: AbortSignal): Promise<ClientPresence> {
    const askedAt = this.#options.clock.now();
    const live = await getIfThere(this.#options.oauthClients, refOf(client), signal);
    if (live?.metadata.uid === clientUID) return 'Ahead';
    this.#gone.set(clientUID, askedAt);
    return 'Gone';
  }
}
