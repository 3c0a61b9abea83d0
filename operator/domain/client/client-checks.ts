import type { OAuthClient } from '../../api/oauth-client.ts';
import type { IssuerSettings } from '../jwt/claims.ts';
import {
  disallowedAudiences,
  disallowedScopes,
  findInsertedClaimsProblem,
  hasGrant,
  isAudienceMissing,
} from './client-allowances.ts';

/** What a token is requested with, and of which client: the same for declared and issued tokens. */
export interface ClientCheckInput {
  readonly client: OAuthClient;
  /** The owner of the token. */
  readonly owner: string | undefined;
  readonly audience: readonly string[];
  readonly scope: readonly string[];
  readonly settings: IssuerSettings;
}

/** Why a client may not have a token, without words: conditions and OAuth errors say it in their own. */
export type ClientViolation =
  | { readonly kind: 'NoGrant' | 'Suspended' | 'NoOwner' | 'AudienceMissing' }
  | { readonly kind: 'ClaimsInvalid'; readonly problem: string }
  | { readonly kind: 'AudienceNotAllowed' | 'ScopeNotAllowed'; readonly values: readonly string[] };

type ClientCheck = (input: ClientCheckInput) => ClientViolation | undefined;

export const ClientWithoutGrant: ClientCheck = ({ client }) =>
  hasGrant(client) ? undefined : { kind: 'NoGrant' };

export const ClientSuspended: ClientCheck = ({ client }) =>
  client.spec.suspended === true ? { kind: 'Suspended' } : undefined;

export const ClientClaimsInvalid: ClientCheck = ({ client, settings }) => {
  const problem = findInsertedClaimsProblem(client.spec, settings);
  return problem === undefined ? undefined : { kind: 'ClaimsInvalid', problem };
};

export const ClientWithoutOwner: ClientCheck = ({ owner }) => (owner ? undefined : { kind: 'NoOwner' });

export const AudienceNotAllowed: ClientCheck = ({ client, audience }) => {
  const values = disallowedAudiences(client, audience);
  if (values.length > 0) return { kind: 'AudienceNotAllowed', values };
  return isAudienceMissing(client, audience) ? { kind: 'AudienceMissing' } : undefined;
};

export const ScopeNotAllowed: ClientCheck = ({ client, scope }) => {
  const values = disallowedScopes(client, scope);
  return values.length === 0 ? undefined : { kind: 'ScopeNotAllowed', values };
};

/** The first violation by the checks in their order, which differs between conditions (spec §2.1) and requests (spec §4). */
export const findClientViolation = (
  checks: readonly ClientCheck[],
  input: ClientCheckInput,
): ClientViolation | undefined => {
  for (const check of checks) {
    const violation = check(input);
    if (violation) return violation;
  }
  return undefined;
};
