import { findCondition, keyOf } from '../../api/meta.ts';
import type { OAuthClient, OAuthClientStatus } from '../../api/oauth-client.ts';
import { planClient } from '../../domain/client/client-plan.ts';
import { requestedClientID } from '../../domain/client/client-rules.ts';
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
  /** Indexed by {@link CLIENT_INDEXERS}. */
  readonly clients: WritableCache<OAuthClient>;
  readonly oauthClients: Pick<ResourceClient<OAuthClient>, 'updateStatus'>;
  readonly events: EventRecorder;
}

export interface ClientReconcilerOptions extends ClientSinks {
  readonly settings: IssuerSettings;
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

/**
 * Registers clients (spec §2.4). To be run by one worker, so that the second of two claimants sees the registration of the
 * first. Needs get, list, watch of oauthclients; update of oauthclients/status.
 */
export class OAuthClientReconciler {
  readonly #options: ClientReconcilerOptions;

  constructor(options: ClientReconcilerOptions) {
    this.#options = options;
  }

  /** @throws ApiError on a conflict (plan again) and on any other failure of the API server */
  async reconcile(key: string, signal: AbortSignal): Promise<ReconcileResult> {
    const { clients, settings, clock, log } = this.#options;
    const client = clients.get(key);
    if (client === undefined) return DONE;
    const claimants = [...clients.byIndex(CLIENT_INDEX.claim, requestedClientID(client))];
    const plan = planClient({ client, claimants, settings, now: clock.now() });
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
}
