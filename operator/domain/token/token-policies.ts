import type { TokenReason } from '../../api/conditions.ts';
import { findCondition } from '../../api/meta.ts';
import { durationMs, floorSeconds, LAST_SECOND, secondsOf } from '../../api/time.ts';
import type { Token } from '../../api/token.ts';
import {
  AudienceNotAllowed,
  ClientClaimsInvalid,
  ClientSuspended,
  type ClientViolation,
  ClientWithoutGrant,
  ClientWithoutOwner,
  clientMaximum,
  findClientViolation,
  quote,
  ScopeNotAllowed,
} from '../client/client-rules.ts';
import { selects } from '../client/label-selector.ts';
import { clientKeyOf } from './declared-token.ts';
import { renewalPolicy, signedAtOf } from './token-jwt.ts';
import type { PermittedObservation, TokenObservation } from './token-observation.ts';

/** Why a Token may not have a JWT now (spec §2.1, condition `Ready`). */
export interface Refusal {
  readonly reason: TokenReason;
  /** What to change, for the condition. */
  readonly message: string;
  /** When the refusal ends without any change, in seconds since the Unix epoch. */
  readonly possibleAt?: number | undefined;
}

/** The part of a {@link Refusal} that is about time. */
type Violation = Omit<Refusal, 'reason'>;

/** The shortest lifetime that policy `Auto` renews, in seconds (spec §2.1). */
const SHORTEST_AUTO_SECONDS = 60;

type Check = (observation: PermittedObservation) => Refusal | undefined;

const isOfAnotherNamespace = ({ metadata, spec }: Token): boolean =>
  (spec.clientRef.namespace ?? metadata.namespace) !== metadata.namespace;

/** One text for a client of another namespace, whether it exists or not: a Token is no means to find out (spec §2.1). */
const clientNotFound = (token: Token): Refusal => {
  const key = clientKeyOf(token);
  const message = isOfAnotherNamespace(token)
    ? `OAuthClient ${key} does not exist, or its spec.allowedNamespaces does not allow Tokens in this namespace`
    : `OAuthClient ${key} does not exist`;
  return { reason: 'ClientNotFound', message };
};

const NamespaceNotAllowed: Check = ({ token, client, namespaceLabels }) => {
  const { from = 'Same', selector } = client.spec.allowedNamespaces ?? {};
  const isSame = token.metadata.namespace === client.metadata.namespace;
  const isAllowed =
    from === 'All' ||
    (from === 'Same' && isSame) ||
    (from === 'Selector' && namespaceLabels !== undefined && selects(selector, namespaceLabels));
  if (isAllowed) return undefined;
  const wasAllowed = token.status?.clientUID === client.metadata.uid;
  if (!isSame && !wasAllowed) return clientNotFound(token);
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

const clientNotReady = (message: string): Refusal => ({ reason: 'ClientNotReady', message });

const refusalOf = (violation: ClientViolation, key: string): Refusal => {
  switch (violation.kind) {
    case 'NoGrant':
      return clientNotReady(
        `OAuthClient ${key} may not have tokens: its spec.allowedGrantTypes does not include client_credentials`,
      );
    case 'NoOwner':
      return clientNotReady(`OAuthClient ${key} has no spec.owner, which a Token requires`);
    case 'ClaimsInvalid':
      return clientNotReady(`OAuthClient ${key} may not have tokens: its ${violation.problem}`);
    case 'Suspended':
      return { reason: 'ClientSuspended', message: `OAuthClient ${key} is suspended` };
    case 'AudienceNotAllowed': {
      const message = `the client's allowedAudiences do not include ${quote(violation.values)} of spec.audience`;
      return { reason: 'InvalidAudience', message };
    }
    case 'AudienceMissing':
      return {
        reason: 'InvalidAudience',
        message: "spec.audience must name at least one of the client's allowedAudiences",
      };
    case 'ScopeNotAllowed': {
      const message = `the client's allowedScopes do not include ${quote(violation.values)} of spec.scope`;
      return { reason: 'InvalidScope', message };
    }
  }
};

/** In the order in which the first violation is the condition's reason. */
const CLIENT_CHECKS = [
  ClientWithoutGrant,
  ClientWithoutOwner,
  ClientClaimsInvalid,
  ClientSuspended,
  AudienceNotAllowed,
  ScopeNotAllowed,
];

const ClientDisallows: Check = ({ token, client, settings }) => {
  const { audience = [], scope = [] } = token.spec;
  const input = { client, owner: client.spec.owner, audience, scope, settings };
  const violation = findClientViolation(CLIENT_CHECKS, input);
  return violation && refusalOf(violation, clientKeyOf(token));
};

/** The limit counts from signing if the clock has gone back since (spec §2.1): the JWT was within the limit then. */
const limitStart = ({ token, settings, now }: PermittedObservation): number =>
  Math.max(floorSeconds(now), signedAtOf(token.status, settings) ?? 0);

/** Whether the current JWT stays valid for longer than its client allows now (spec §2.1, Issuing). */
export const isBeyondLimit = (input: PermittedObservation): boolean => {
  const maximum = clientMaximum(input.client);
  const { status } = input.token;
  if (maximum === undefined || status?.id === undefined) return false;
  if (status.expiration === undefined) return true;
  return secondsOf(status.expiration) > limitStart(input) + maximum;
};

const findLimitViolation = (
  { token, client }: PermittedObservation,
  start: number,
): Violation | undefined => {
  const maximum = clientMaximum(client);
  const requested = secondsOf(token.spec.expiration ?? '');
  if (maximum === undefined || !(requested > start + maximum)) return undefined;
  return {
    message: `spec.expiration is later than the client's accessTokenLifetime (${client.spec.accessTokenLifetime}) allows: set an earlier one`,
    possibleAt: requested - maximum,
  };
};

const findExpirationViolation = (input: PermittedObservation, expiration: string): Violation | undefined => {
  const { token, now } = input;
  const requested = secondsOf(expiration);
  const current = token.status?.expiration;
  const isCurrent = current !== undefined && secondsOf(current) === requested;
  if (Number.isNaN(requested)) return { message: 'spec.expiration is not a time' };
  if (requested > LAST_SECOND)
    return { message: 'spec.expiration is too late: set one before the year 10000' };
  if (!isCurrent && requested <= floorSeconds(now)) {
    return { message: 'spec.expiration is in the past: set a later one' };
  }
  return findLimitViolation(input, isCurrent ? limitStart(input) : floorSeconds(now));
};

/**
 * Why a JWT that is signed now can't have the `spec.expiration` that the current JWT has, although the Token keeps its current
 * one: the clock has gone back since it was signed (spec §2.1: a new JWT never exceeds the limit by the current clock).
 */
export const findIssueViolation = (input: PermittedObservation): Violation | undefined =>
  findLimitViolation(input, floorSeconds(input.now));

const findRelativeViolation = ({ token, client }: PermittedObservation): Violation | undefined => {
  const { lifetime } = token.spec;
  const maximum = clientMaximum(client);
  const requested = lifetime === undefined ? maximum : floorSeconds(durationMs(lifetime));
  const source = lifetime === undefined ? "the client's accessTokenLifetime" : 'spec.lifetime';
  if (requested === undefined) return undefined;
  if (requested < 1) return { message: `${source} is shorter than 1s: set a longer one` };
  if (maximum !== undefined && requested > maximum) {
    return {
      message: `spec.lifetime is longer than the client's accessTokenLifetime (${client.spec.accessTokenLifetime}): set a shorter one`,
    };
  }
  if (renewalPolicy(token.spec) === 'Auto' && requested < SHORTEST_AUTO_SECONDS) {
    return { message: `${source} is shorter than 1m: set a longer one, or spec.renewal.policy: Never` };
  }
  return undefined;
};

/** The first violation by `spec.expiration` or `spec.lifetime` (reason `InvalidExpiration`, spec §2.1); undefined if there is none. */
const findLifetimeViolation = (input: PermittedObservation): Violation | undefined => {
  const { expiration } = input.token.spec;
  return expiration === undefined ? findRelativeViolation(input) : findExpirationViolation(input, expiration);
};

const ExpirationNotAllowed: Check = (observation) => {
  const violation = findLifetimeViolation(observation);
  return violation && { reason: 'InvalidExpiration', ...violation };
};

/** The namespace comes first: one that the client does not allow learns nothing about the client (spec §2.1). */
const CHECKS: readonly Check[] = [
  NamespaceNotAllowed,
  ClientNotRegistered,
  ClientDisallows,
  ExpirationNotAllowed,
];

/** Whether the Token may have a JWT now. */
export type Permission =
  | { readonly kind: 'permitted'; readonly observation: PermittedObservation }
  | { readonly kind: 'refused'; readonly refusal: Refusal };

/** Whether spec, client and namespace permit a JWT (spec §2.1); the first reason against it is returned. */
export const permit = (observation: TokenObservation): Permission => {
  const { token, client } = observation;
  if (client === undefined) return { kind: 'refused', refusal: clientNotFound(token) };
  const permitted: PermittedObservation = { ...observation, client };
  for (const check of CHECKS) {
    const refusal = check(permitted);
    if (refusal) return { kind: 'refused', refusal };
  }
  return { kind: 'permitted', observation: permitted };
};
