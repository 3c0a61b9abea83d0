import type { OAuthClient } from '../../api/oauth-client.ts';
import type { IssuerSettings } from '../jwt/claims.ts';
import { floorSeconds, LAST_SECOND } from '../timestamps.ts';
import {
  clientMaximum,
  disallowedAudiences,
  disallowedScopes,
  findInsertedClaimsProblem,
  grantedScope,
  hasGrant,
  isAudienceMissing,
  quote,
} from './client-allowances.ts';
import type { RequestProblem, RequestShape } from './token-request.ts';

/** A request whose shape is in order, and who makes it; `now` in milliseconds. */
export interface RequestInput {
  readonly request: Pick<RequestShape, 'audience' | 'scope' | 'expiration'>;
  readonly client: OAuthClient;
  /** From the assertion of a trusted issuer; elsewhere the client's own counts. */
  readonly owner: string | undefined;
  readonly settings: IssuerSettings;
  readonly now: number;
}

/** What the token says of what was asked for. */
export interface GrantedRequest {
  readonly owner: string;
  readonly audience: readonly string[];
  readonly scope: readonly string[];
  /** Seconds since the Unix epoch; undefined where it never expires. */
  readonly expiration: number | undefined;
}

/** What came of a request. */
export type RequestDecision =
  | { readonly kind: 'granted'; readonly granted: GrantedRequest }
  | { readonly kind: 'refused'; readonly problem: RequestProblem };

type Check = (input: RequestInput) => RequestProblem | undefined;

const unauthorized = (message: string): RequestProblem => ({ code: 'unauthorized_client', message });

const ClientWithoutGrant: Check = ({ client }) =>
  hasGrant(client) ? undefined : unauthorized('this client gets no tokens: its allowedGrantTypes are empty');

const ClientSuspended: Check = ({ client }) =>
  client.spec.suspended === true ? unauthorized('this client is suspended') : undefined;

const ClientClaimsInvalid: Check = ({ client, settings }) => {
  const problem = findInsertedClaimsProblem(client.spec, settings);
  return problem === undefined ? undefined : unauthorized(`this client gets no tokens: its ${problem}`);
};

const ClientWithoutOwner: Check = ({ client, owner }) =>
  (owner ?? client.spec.owner) ? undefined : unauthorized('this client has no owner: it needs a spec.owner');

/** Short enough for a gRPC trailer, whatever was asked for. */
const show = (values: readonly string[]): string => quote(values.map((value) => value.slice(0, 64)));

const ExpirationNotAllowed: Check = ({ request, client, now }) => {
  const { expiration } = request;
  if (expiration <= 0) return undefined;
  const invalid = (message: string): RequestProblem => ({ code: 'invalid_request', message });
  if (expiration <= floorSeconds(now)) return invalid('expiration is in the past: ask for a later one');
  if (expiration > LAST_SECOND) return invalid('expiration is too late: ask for one before the year 10000');
  const maximum = clientMaximum(client);
  if (maximum === undefined || expiration <= floorSeconds(now) + maximum) return undefined;
  return invalid(
    `expiration is later than the ${maximum} s that this client may have: ask for an earlier one`,
  );
};

const AudienceNotAllowed: Check = ({ request, client }) => {
  const disallowed = disallowedAudiences(client, request.audience);
  if (disallowed.length > 0) {
    return { code: 'invalid_target', message: `audience ${show(disallowed)} is not allowed for this client` };
  }
  if (!isAudienceMissing(client, request.audience)) return undefined;
  return { code: 'invalid_target', message: 'an audience has to be asked for: one that this client allows' };
};

const ScopeNotAllowed: Check = ({ request, client }) => {
  const disallowed = disallowedScopes(client, request.scope);
  if (disallowed.length === 0) return undefined;
  return { code: 'invalid_scope', message: `scope ${show(disallowed)} is not allowed for this client` };
};

/** In the order of spec §4: the client's grant, expiration, audience, scope. */
const CHECKS: readonly Check[] = [
  ClientWithoutGrant,
  ClientSuspended,
  ClientClaimsInvalid,
  ClientWithoutOwner,
  ExpirationNotAllowed,
  AudienceNotAllowed,
  ScopeNotAllowed,
];

const distinct = (list: readonly string[]): readonly string[] =>
  list.length > 1 ? [...new Set(list)] : list;

const expirationOf = ({ request, client, now }: RequestInput): number | undefined => {
  if (request.expiration > 0) return request.expiration;
  const maximum = clientMaximum(client);
  return maximum === undefined ? undefined : floorSeconds(now) + maximum;
};

/** Validators the request of a client that has proved itself; the first reason against it is given. */
export const decideRequest = (input: RequestInput): RequestDecision => {
  for (const check of CHECKS) {
    const problem = check(input);
    if (problem) return { kind: 'refused', problem };
  }
  const { request, client, owner } = input;
  const granted: GrantedRequest = {
    owner: owner ?? client.spec.owner ?? '',
    audience: distinct(request.audience),
    scope: grantedScope(client, distinct(request.scope)),
    expiration: expirationOf(input),
  };
  return { kind: 'granted', granted };
};
