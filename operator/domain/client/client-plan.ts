import { type ClientReason, type ConditionUpdate, setCondition } from '../../api/conditions.ts';
import type { OAuthClient, OAuthClientStatus } from '../../api/oauth-client.ts';
import { canonicalJson } from '../canonical-json.ts';
import type { IssuerSettings } from '../jwt/claims.ts';
import { floorSeconds, formatTime } from '../timestamps.ts';
import { findInsertedClaimsProblem } from './client-allowances.ts';
import { type Claim, claimOf, decideClaim } from './client-id-claim.ts';

/** Everything that a registration is planned from. */
export interface ClientObservation {
  readonly client: OAuthClient;
  /** All clients that ask for the same client ID, in every watched namespace. */
  readonly claimants: readonly OAuthClient[];
  readonly settings: IssuerSettings;
  /** Milliseconds since the Unix epoch. */
  readonly now: number;
}

/** What to do about a client's registration. */
export type ClientPlan =
  | { readonly kind: 'nothing' }
  /** Another claimant comes first: its registration will tell. */
  | { readonly kind: 'wait'; readonly for: OAuthClient }
  | { readonly kind: 'write'; readonly status: OAuthClientStatus };

const ready = (status: 'True' | 'False', reason: ClientReason, message: string): ConditionUpdate => ({
  type: 'Ready',
  status,
  reason,
  message,
});

const readyCondition = (
  claim: Exclude<Claim, { kind: 'waits' }>,
  observation: ClientObservation,
): ConditionUpdate => {
  const { client, settings } = observation;
  const id = JSON.stringify(claimOf(client));
  if (claim.kind === 'lost') {
    // Whose it is, is not for everyone who may read this client: the ID is all that is said.
    const message = `another OAuthClient holds, or held, the client ID ${id}: re-create this one to ask for it again, or give it another spec.clientID`;
    return ready('False', 'ClientIDConflict', message);
  }
  if (client.spec.suspended === true) {
    return ready(
      'False',
      'Suspended',
      `it holds the client ID ${id}, and spec.suspended keeps it from tokens`,
    );
  }
  const problem = findInsertedClaimsProblem(client.spec, settings);
  if (problem !== undefined) return ready('False', 'Suspended', `it gets no tokens: ${problem}`);
  return ready('True', 'Registered', `it holds the client ID ${id}`);
};

/** Decides over a client's registration (spec §2.4): `status.clientID`, which the holder alone has, and condition `Ready`. Pure; what it made plans to nothing. */
export const planClient = (observation: ClientObservation): ClientPlan => {
  const { client, claimants, now } = observation;
  const claim = decideClaim(client, claimants);
  if (claim.kind === 'waits') return { kind: 'wait', for: claim.for };
  const { clientID: _, ...before } = client.status ?? {};
  const generation = client.metadata.generation ?? 0;
  const status: OAuthClientStatus = {
    ...before,
    ...(claim.kind === 'held' && { clientID: claimOf(client) }),
    observedGeneration: generation,
    conditions: setCondition(before.conditions, readyCondition(claim, observation), {
      now: formatTime(floorSeconds(now)),
      observedGeneration: generation,
    }),
  };
  if (canonicalJson(status) === canonicalJson(client.status)) return { kind: 'nothing' };
  return { kind: 'write', status };
};
