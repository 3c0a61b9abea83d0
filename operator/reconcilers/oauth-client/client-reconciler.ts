import { findCondition, keyOf } from '../../api/meta.ts';
import type { OAuthClient, OAuthClientStatus } from '../../api/oauth-client.ts';
import { BoundedMap } from '../../async/bounded-map.ts';
import { planClient } from '../../domain/client/client-plan.ts';
import { issuerOf, isUndecided, requestedClientID } from '../../domain/client/client-rules.ts';
import type { OtherInstallation } from '../../domain/client/installation.ts';
import { decideIssuer, type IssuerDecision } from '../../domain/client/issuer-decision.ts';
import type { IssuerSettings } from '../../domain/jwt/claims.ts';
import type { WritableCache } from '../../ports/cache.ts';
import type { Clock } from '../../ports/clock.ts';
import type { EventRecorder } from '../../ports/events.ts';
import { isNotFound, type ResourceClient } from '../../ports/kube.ts';
import type { Log } from '../../ports/log.ts';
import { DONE, type ReconcileResult } from '../../runtime/controller.ts';
import { CLIENT_INDEX } from './client-indexes.ts';

/** Where a client's status is written to. */
export interface ClientSinks {
  /** Indexed by `clientIndexers`. */
  readonly clients: WritableCache<OAuthClient>;
  readonly oauthClients: Pick<ResourceClient<OAuthClient>, 'updateStatus'>;
  readonly events: EventRecorder;
}

/** What decides to which issuer a client belongs that names none yet. */
export interface IssuerSources {
  /** The installations that run beside this one. @throws ApiError if they can't be read */
  readonly others: () => Promise<readonly OtherInstallation[]>;
  /** The kids that signed the client's tokens. */
  readonly kidsOf: (client: OAuthClient) => Iterable<string>;
  readonly isOwnKid: (kid: string) => boolean;
}

/** Where there is no other installation. */
export const NO_OTHER_ISSUER: IssuerSources = {
  others: async () => [],
  kidsOf: () => [],
  isOwnKid: () => false,
};

export interface ClientReconcilerOptions extends ClientSinks {
  readonly settings: IssuerSettings;
  readonly issuers: IssuerSources;
  readonly clock: Clock;
  readonly log: Log;
}

/**
 * Writes a client's status over the one that was planned from, and notes a condition that turned False.
 * @throws ApiError on a conflict; a client that is gone is none
 */
export const writeClientStatus = async (
  { clients, oauthClients, events }: ClientSinks,
  client: OAuthClient,
  { status, about, signal }: { status: OAuthClientStatus; about: string; signal: AbortSignal },
): Promise<void> => {
  try {
    clients.putIfNewer(await oauthClients.updateStatus({ metadata: client.metadata, status }, { signal }));
  } catch (error) {
    if (!isNotFound(error)) throw error;
    return;
  }
  const before = findCondition(client.status?.conditions, about);
  const after = findCondition(status.conditions, about);
  if (after?.status !== 'False' || after.reason === 'NoMethod' || before?.reason === after.reason) return;
  const type = after.reason === 'Suspended' ? 'Normal' : 'Warning';
  events.record({ regarding: client, type, reason: after.reason, action: 'Reconcile', note: after.message });
};

/** Issuers whose clients were logged as being left alone; the oldest are logged again. */
const MAX_LOGGED = 256;

/**
 * Registers clients (spec §2.4). To be run by one worker, so that the second of two claimants sees the registration of the
 * first. Needs get, list, watch of oauthclients; update of oauthclients/status.
 */
export class OAuthClientReconciler {
  readonly #options: ClientReconcilerOptions;
  readonly #logged = new BoundedMap<string, true>(MAX_LOGGED);

  constructor(options: ClientReconcilerOptions) {
    this.#options = options;
  }

  /** @throws ApiError on a conflict (plan again) and on any other failure of the API server */
  async reconcile(key: string, signal: AbortSignal): Promise<ReconcileResult> {
    const { clients, settings, issuers, clock, log } = this.#options;
    const found = clients.get(key);
    if (found === undefined) return DONE;
    const others = issuerOf(found) === undefined ? await issuers.others() : [];
    signal.throwIfAborted();
    const client = clients.get(key);
    if (client === undefined) return DONE;
    const issuer = this.#decide(client, others);
    // None waits for one that is nobody's.
    const claimants = [...clients.byIndex(CLIENT_INDEX.claim, requestedClientID(client))].filter(
      (claimant) => claimant === client || !isUndecided(claimant),
    );
    const plan = planClient({ client, claimants, settings, issuer, now: clock.now() });
    switch (plan.kind) {
      case 'nothing':
        return DONE;
      case 'wait':
        log.debug('another OAuthClient that asks for the client ID comes first', {
          client: key,
          first: keyOf(plan.for.metadata),
        });
        return DONE;
      case 'write':
        await writeClientStatus(this.#options, client, { status: plan.status, about: 'Ready', signal });
        return DONE;
    }
  }

  #decide(client: OAuthClient, others: readonly OtherInstallation[]): IssuerDecision {
    const { settings, issuers } = this.#options;
    const { kidsOf, isOwnKid } = issuers;
    const issuer = decideIssuer({
      client,
      urls: settings,
      others,
      kids: () => kidsOf(client),
      isOwnKid,
    });
    if (issuer.kind === 'other') this.#logOnce(client);
    return issuer;
  }

  /** Once for each issuer: it may have thousands of clients. */
  #logOnce(client: OAuthClient): void {
    const issuer = issuerOf(client) ?? '';
    if (this.#logged.has(issuer)) return;
    this.#logged.set(issuer, true);
    this.#options.log.info(
      'OAuthClients of another issuer are left alone, with their Tokens and records; if it was issuer.url here before, list it in issuer.previousURLs',
      {
        issuer,
        first: keyOf(client.metadata),
      },
    );
  }
}
