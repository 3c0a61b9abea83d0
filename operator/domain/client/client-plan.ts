import type { ClientReason } from '../../api/conditions.ts';
import { type ConditionUpdate, findCondition, setCondition } from '../../api/meta.ts';
import type { OAuthClient, OAuthClientStatus } from '../../api/oauth-client.ts';
import { floorSeconds, formatTime } from '../../api/time.ts';
import { canonicalJson } from '../canonical-json.ts';
import type { IssuerSettings } from '../jwt/claims.ts';
import {
  bySeniority,
  findInsertedClaimsProblem,
  isInConflict,
  isRegistered,
  isUndecided,
  quote,
  requestedClientID,
} from './client-rules.ts';
import { type IssuerDecision, OWN_CLIENT } from './issuer-decision.ts';

/** The result of a client's claim: it is registered, another is, or another comes first. */
type ClientIDDecision =
  | { readonly kind: 'held' }
  | { readonly kind: 'lost'; readonly to: OAuthClient | undefined }
  | { readonly kind: 'waits'; readonly for: OAuthClient };

/**
 * Decides over a client's claim among all that make the same one (the client itself may be among them). A registered client
 * keeps it; of several (a restored backup) the oldest does; an unassigned ID goes to the oldest claimant that has not
 * lost it before.
 */
const decideClientID = ({ client, claimants, settings }: ClientObservation): ClientIDDecision => {
  const others = [...claimants].filter(({ metadata }) => metadata.uid !== client.metadata.uid);
  const [registered] = [...others, client].filter(isRegistered).sort(bySeniority);
  if (registered === client) return { kind: 'held' };
  if (registered !== undefined || isInConflict(settings, client)) return { kind: 'lost', to: registered };
  const [first = client] = [...others, client]
    .filter((other) => !isInConflict(settings, other))
    .sort(bySeniority);
  return first === client ? { kind: 'held' } : { kind: 'waits', for: first };
};

/** Everything that a registration is planned from. */
export interface ClientObservation {
  readonly client: OAuthClient;
  /** All clients that ask for the same client ID, in every watched namespace. */
  readonly claimants: readonly OAuthClient[];
  readonly settings: IssuerSettings;
  /** Absent: no other installation is known, so that it belongs to this one. */
  readonly issuer?: IssuerDecision;
  /** Milliseconds since the Unix epoch. */
  readonly now: number;
}

/** What to do about a client's registration. */
export type ClientPlan =
  | { readonly kind: 'nothing' }
  /** Another claimant comes first: its registration triggers another plan. */
  | { readonly kind: 'wait'; readonly for: OAuthClient }
  | { readonly kind: 'write'; readonly status: OAuthClientStatus };

const ready = (status: 'True' | 'False', reason: ClientReason, message: string): ConditionUpdate => ({
  type: 'Ready',
  status,
  reason,
  message,
});

const readyCondition = (
  claim: Exclude<ClientIDDecision, { kind: 'waits' }>,
  observation: ClientObservation,
): ConditionUpdate => {
  const { client, settings } = observation;
  const id = JSON.stringify(requestedClientID(client));
  if (claim.kind === 'lost') {
    // Not every reader of this client may know the other one: the message names the ID only.
    const message = `another OAuthClient is, or was, registered with the client ID ${id}: delete that one first if the client was moved here, then delete this one and create it again, to ask for that ID or another`;
    return ready('False', 'ClientIDConflict', message);
  }
  if (client.spec.suspended === true) {
    return ready(
      'False',
      'Suspended',
      `registered with the client ID ${id}; spec.suspended is true: it gets no tokens`,
    );
  }
  const problem = findInsertedClaimsProblem(client.spec, settings);
  if (problem !== undefined) return ready('False', 'Suspended', `it gets no tokens: ${problem}`);
  return ready('True', 'Registered', `registered with the client ID ${id}`);
};

/**
 * The client is nobody's until its spec names an issuer. Each of the installations writes that, and none changes what another has
 * written for the same spec: their lists of candidates may differ for a while.
 */
const planUndecided = ({ client, now }: ClientObservation, candidates: readonly string[]): ClientPlan => {
  const { clientID, issuer: _, ...before } = client.status ?? {};
  const observedGeneration = client.metadata.generation ?? 0;
  const ready = findCondition(before.conditions, 'Ready');
  const isWritten = isUndecided(client) && ready?.observedGeneration === observedGeneration;
  if (isWritten && clientID === undefined) return { kind: 'nothing' };
  const message = `several installations of m2m-oauth-operator watch this namespace, and none has taken this client: set spec.issuer to the issuer URL of one of them (${quote(candidates)})`;
  const condition: ConditionUpdate = { type: 'Ready', status: 'False', reason: 'IssuerUndecided', message };
  const at = { now: formatTime(floorSeconds(now)), observedGeneration };
  const conditions = setCondition(before.conditions, condition, at);
  return { kind: 'write', status: { ...before, observedGeneration, conditions } };
};

/**
 * Plans a client's registration (spec §2.4): `status.issuer` of the issuer that it belongs to, `status.clientID`, which only a
 * registered client has, and condition `Ready`. Pure; planning again after the result is written yields `nothing`.
 */
export const planClient = (observation: ClientObservation): ClientPlan => {
  const { client, settings, issuer = OWN_CLIENT, now } = observation;
  if (issuer.kind === 'other') return { kind: 'nothing' };
  if (issuer.kind === 'undecided') return planUndecided(observation, issuer.candidates);
  const claim = decideClientID(observation);
  if (claim.kind === 'waits') return { kind: 'wait', for: claim.for };
  const { clientID: _, ...before } = client.status ?? {};
  const generation = client.metadata.generation ?? 0;
  const status: OAuthClientStatus = {
    ...before,
    ...(claim.kind === 'held' && { clientID: requestedClientID(client) }),
    issuer: settings.url,
    observedGeneration: generation,
    conditions: setCondition(before.conditions, readyCondition(claim, observation), {
      now: formatTime(floorSeconds(now)),
      observedGeneration: generation,
    }),
  };
  if (canonicalJson(status) === canonicalJson(client.status)) return { kind: 'nothing' };
  return { kind: 'write', status };
};
