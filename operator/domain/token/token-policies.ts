import type { TokenReason } from '../../api/conditions.ts';
import { findCondition } from '../../api/conditions.ts';
import type { OAuthClient } from '../../api/oauth-client.ts';
import type { Token } from '../../api/token.ts';
import {
  disallowedAudiences,
  disallowedScopes,
  hasGrant,
  isAudienceMissing,
  quote,
} from '../client/client-allowances.ts';
import { findInsertedClaimsProblem } from '../client/insert-token-claims.ts';
import { selects } from '../client/label-selector.ts';
import type { IssuerSettings } from '../jwt/claims.ts';
import { findLifetimeViolation } from './token-lifetime.ts';
import { clientKeyOf, type TokenObservation } from './token-observation.ts';

/** Why a Token may not have a JWT now, in the words of its condition. */
export interface Refusal {
  readonly reason: TokenReason;
  readonly message: string;
  /** When time alone lifts it, in seconds since the Unix epoch. */
  readonly possibleAt?: number | undefined;
}

/** What the checks look at, once the client is known. `now` in milliseconds. */
interface PolicyInput {
  readonly token: Token;
  readonly client: OAuthClient;
  readonly namespaceLabels: Readonly<Record<string, string>>;
  readonly settings: IssuerSettings;
  readonly now: number;
}

type Check = (input: PolicyInput) => Refusal | undefined;

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
    message: `OAuthClient ${clientKeyOf(token)} does not allow Tokens of this namespace: its spec.allowedNamespaces decides`,
  };
};

const ClientNotHolder: Check = ({ token, client }) => {
  const claim = client.spec.clientID ?? client.metadata.name;
  if (client.status?.clientID === claim) return undefined;
  const ready = findCondition(client.status?.conditions, 'Ready');
  const message =
    ready?.reason === 'ClientIDConflict'
      ? `another OAuthClient holds the client ID of ${clientKeyOf(token)}: it has to be re-created, or use another ID`
      : `OAuthClient ${clientKeyOf(token)} is not registered yet`;
  return { reason: 'ClientNotReady', message };
};

const ClientWithoutGrant: Check = ({ token, client }) =>
  hasGrant(client)
    ? undefined
    : {
        reason: 'ClientNotReady',
        message: `OAuthClient ${clientKeyOf(token)} gets no tokens: its spec.allowedGrantTypes lacks client_credentials`,
      };

const ClientWithoutOwner: Check = ({ token, client }) =>
  client.spec.owner
    ? undefined
    : {
        reason: 'ClientNotReady',
        message: `OAuthClient ${clientKeyOf(token)} has no spec.owner: declared Tokens need one`,
      };

const ClientClaimsInvalid: Check = ({ token, client, settings }) => {
  const problem = findInsertedClaimsProblem(client.spec, settings);
  if (problem === undefined) return undefined;
  return {
    reason: 'ClientNotReady',
    message: `OAuthClient ${clientKeyOf(token)} gets no tokens: its ${problem}`,
  };
};

const ClientSuspended: Check = ({ token, client }) =>
  client.spec.suspended === true
    ? { reason: 'ClientSuspended', message: `OAuthClient ${clientKeyOf(token)} is suspended` }
    : undefined;

const AudienceNotAllowed: Check = ({ token, client }) => {
  const asked = token.spec.audience ?? [];
  const disallowed = disallowedAudiences(client, asked);
  if (disallowed.length > 0) {
    return {
      reason: 'InvalidAudience',
      message: `spec.audience has what the client's allowedAudiences drift: ${quote(disallowed)}`,
    };
  }
  if (isAudienceMissing(client, asked)) {
    return {
      reason: 'InvalidAudience',
      message: "spec.audience has to name one of the client's allowedAudiences",
    };
  }
  return undefined;
};

const ScopeNotAllowed: Check = ({ token, client }) => {
  const disallowed = disallowedScopes(client, token.spec.scope ?? []);
  if (disallowed.length === 0) return undefined;
  return {
    reason: 'InvalidScope',
    message: `spec.scope has what the client's allowedScopes drift: ${quote(disallowed)}`,
  };
};

const ExpirationNotAllowed: Check = (input) => {
  const violation = findLifetimeViolation(input);
  return violation && { reason: 'InvalidExpiration', ...violation };
};

/** In this order; a namespace that the client does not allow learns nothing of its state. */
const CHECKS: readonly Check[] = [
  NamespaceNotAllowed,
  ClientNotHolder,
  ClientWithoutGrant,
  ClientWithoutOwner,
  ClientClaimsInvalid,
  ClientSuspended,
  AudienceNotAllowed,
  ScopeNotAllowed,
  ExpirationNotAllowed,
];

/** A Token's observation in which the client was found. */
export type PermittedObservation = TokenObservation & { readonly client: OAuthClient };

/** Whether the Token may have a JWT now. */
export type Permission =
  | { readonly kind: 'permitted'; readonly observation: PermittedObservation }
  | { readonly kind: 'refused'; readonly refusal: Refusal };

/** Validators a Token by its spec, its client and its namespace; the first reason against it is given. */
export const permit = (observation: TokenObservation): Permission => {
  const { token, client } = observation;
  if (client === undefined) {
    const message = `there is no OAuthClient ${clientKeyOf(token)}`;
    return { kind: 'refused', refusal: { reason: 'ClientNotFound', message } };
  }
  const permitted: PermittedObservation = { ...observation, client };
  for (const check of CHECKS) {
    const refusal = check(permitted);
    if (refusal) return { kind: 'refused', refusal };
  }
  return { kind: 'permitted', observation: permitted };
};
