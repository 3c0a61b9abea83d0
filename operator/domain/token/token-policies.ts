import { findCondition, type TokenReason } from '../../api/conditions.ts';
import {
  disallowedAudiences,
  disallowedScopes,
  hasGrant,
  isAudienceMissing,
  quote,
} from '../client/client-allowances.ts';
import { findInsertedClaimsProblem } from '../client/insert-token-claims.ts';
import { selects } from '../client/label-selector.ts';
import { clientKeyOf } from './declared-token.ts';
import { findLifetimeViolation } from './token-lifetime.ts';
import type { PermittedObservation, TokenObservation } from './token-observation.ts';

/** Why a Token may not have a JWT now (spec §2.1, condition `Ready`). */
export interface Refusal {
  readonly reason: TokenReason;
  /** What to change, for the condition. */
  readonly message: string;
  /** When the refusal ends without any change, in seconds since the Unix epoch. */
  readonly possibleAt?: number | undefined;
}

type Check = (observation: PermittedObservation) => Refusal | undefined;

const NamespaceNotAllowed: Check = ({ token, client, namespaceLabels }) => {
  const { from = 'Same', selector } = client.spec.allowedNamespaces ?? {};
  const isSame = token.metadata.namespace === client.metadata.namespace;
  const isAllowed =
    from === 'All' ||
    (from === 'Same' && isSame) ||
    (from === 'Selector' && selects(selector, namespaceLabels));
  if (isAllowed) return undefined;
  return {
    reason: 'NamespaceNotAllowed',
    message: `OAuthClient ${clientKeyOf(token)} does not allow Tokens in this namespace: its spec.allowedNamespaces decides`,
  };
};

const ClientNotRegistered: Check = ({ token, client }) => {
  const claim = client.spec.clientID ?? client.metadata.name;
  if (client.status?.clientID === claim) return undefined;
  const ready = findCondition(client.status?.conditions, 'Ready');
  const key = clientKeyOf(token);
  const message =
    ready?.reason === 'ClientIDConflict'
      ? `another OAuthClient is registered with the client ID of ${key}: delete ${key} and create it again with another client ID`
      : `OAuthClient ${key} is not registered yet`;
  return { reason: 'ClientNotReady', message };
};

const ClientWithoutGrant: Check = ({ token, client }) =>
  hasGrant(client)
    ? undefined
    : {
        reason: 'ClientNotReady',
        message: `OAuthClient ${clientKeyOf(token)} may not have tokens: its spec.allowedGrantTypes does not include client_credentials`,
      };

const ClientWithoutOwner: Check = ({ token, client }) =>
  client.spec.owner
    ? undefined
    : {
        reason: 'ClientNotReady',
        message: `OAuthClient ${clientKeyOf(token)} has no spec.owner, which a Token requires`,
      };

const ClientClaimsInvalid: Check = ({ token, client, settings }) => {
  const problem = findInsertedClaimsProblem(client.spec, settings);
  if (problem === undefined) return undefined;
  return {
    reason: 'ClientNotReady',
    message: `OAuthClient ${clientKeyOf(token)} may not have tokens: its ${problem}`,
  };
};

const ClientSuspended: Check = ({ token, client }) =>
  client.spec.suspended === true
    ? { reason: 'ClientSuspended', message: `OAuthClient ${clientKeyOf(token)} is suspended` }
    : undefined;

const AudienceNotAllowed: Check = ({ token, client }) => {
  const requested = token.spec.audience ?? [];
  const disallowed = disallowedAudiences(client, requested);
  if (disallowed.length > 0) {
    return {
      reason: 'InvalidAudience',
      message: `the client's allowedAudiences do not include ${quote(disallowed)} of spec.audience`,
    };
  }
  if (isAudienceMissing(client, requested)) {
    return {
      reason: 'InvalidAudience',
      message: "spec.audience must name at least one of the client's allowedAudiences",
    };
  }
  return undefined;
};

const ScopeNotAllowed: Check = ({ token, client }) => {
  const disallowed = disallowedScopes(client, token.spec.scope ?? []);
  if (disallowed.length === 0) return undefined;
  return {
    reason: 'InvalidScope',
    message: `the client's allowedScopes do not include ${quote(disallowed)} of spec.scope`,
  };
};

const ExpirationNotAllowed: Check = (observation) => {
  const violation = findLifetimeViolation(observation);
  return violation && { reason: 'InvalidExpiration', ...violation };
};

/** The namespace comes first: one that the client does not allow learns nothing about the client (spec §2.1). */
const CHECKS: readonly Check[] = [
  NamespaceNotAllowed,
  ClientNotRegistered,
  ClientWithoutGrant,
  ClientWithoutOwner,
  ClientClaimsInvalid,
  ClientSuspended,
  AudienceNotAllowed,
  ScopeNotAllowed,
  ExpirationNotAllowed,
];

/** Whether the Token may have a JWT now. */
export type Permission =
  | { readonly kind: 'permitted'; readonly observation: PermittedObservation }
  | { readonly kind: 'refused'; readonly refusal: Refusal };

/** Whether spec, client and namespace permit a JWT (spec §2.1); the first reason against it is returned. */
export const permit = (observation: TokenObservation): Permission => {
  const { token, client } = observation;
  if (client === undefined) {
    const message = `OAuthClient ${clientKeyOf(token)} does not exist`;
    return { kind: 'refused', refusal: { reason: 'ClientNotFound', message } };
  }
  const permitted: PermittedObservation = { ...observation, client };
  for (const check of CHECKS) {
    const refusal = check(permitted);
    if (refusal) return { kind: 'refused', refusal };
  }
  return { kind: 'permitted', observation: permitted };
};
