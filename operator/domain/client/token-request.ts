import type { OAuthClient } from '../../api/oauth-client.ts';
import { floorSeconds, LAST_SECOND } from '../../api/time.ts';
import type { IssuerSettings } from '../jwt/claims.ts';
import {
  AudienceNotAllowed,
  CLIENT_CREDENTIALS,
  ClientClaimsInvalid,
  ClientSuspended,
  type ClientViolation,
  ClientWithoutGrant,
  ClientWithoutOwner,
  clientMaximum,
  findClientViolation,
  grantedScope,
  quote,
  ScopeNotAllowed,
} from './client-rules.ts';

/** A client ID and the secret that goes with it; '' for an absent one. */
export interface IDAndSecret {
  readonly clientID: string;
  readonly clientSecret: string;
}

/** A token request over gRPC or HTTP; '' for an absent text. */
export interface TokenRequest extends IDAndSecret {
  /** What the ID and secret may have meant instead, in the order in which to try it: a header of Basic can be encoded or not. */
  readonly alternatives?: readonly IDAndSecret[];
  readonly assertionType: string;
  readonly assertion: string;
  readonly grantType: string;
  readonly audience: readonly string[];
  readonly scope: readonly string[];
  /** Seconds since the Unix epoch; 0 or less if not requested. */
  readonly expiration: number;
  readonly tokenName: string;
}

/** An OAuth error code (RFC 6749 §5.2, RFC 8707 §2), or `malformed` for a request that exceeds a limit. */
type RequestProblemCode =
  | 'malformed'
  | 'unsupported_grant_type'
  | 'invalid_request'
  | 'invalid_scope'
  | 'invalid_target'
  | 'unauthorized_client';

/** Why a token request is rejected. `message` is sent to the caller. */
export interface RequestProblem {
  readonly code: RequestProblemCode;
  readonly message: string;
}

/** The longest assertion, in characters: it is parsed before the client is authenticated. */
export const MAX_ASSERTION = 16_384;

/** The longest texts, in UTF-16 code units; those of the resources (api/) where these have a limit. */
const MAX_LENGTHS = {
  clientID: 253,
  clientSecret: 1024,
  assertionType: 256,
  assertion: MAX_ASSERTION,
  grantType: 256,
  tokenName: 253,
} as const;
const MAX_LISTS = {
  audience: { entries: 64, length: 512 },
  scope: { entries: 256, length: 256 },
} as const;

const WIRE_NAMES = {
  clientID: 'client_id',
  clientSecret: 'client_secret',
  assertionType: 'client_assertion_type',
  assertion: 'client_assertion',
  grantType: 'grant_type',
  tokenName: 'token_name',
} as const;

const problem = (code: RequestProblemCode, message: string): RequestProblem => ({ code, message });
const malformed = (message: string): RequestProblem => problem('malformed', message);

const findTextProblem = (request: TokenRequest): RequestProblem | undefined => {
  for (const [member, max] of Object.entries(MAX_LENGTHS) as [keyof typeof MAX_LENGTHS, number][]) {
    const text = request[member];
    if (text.length > max) return malformed(`${WIRE_NAMES[member]} is longer than ${max} characters`);
    if (!text.isWellFormed()) return malformed(`${WIRE_NAMES[member]} is no Unicode text`);
  }
  return undefined;
};

const findListProblem = (
  request: TokenRequest,
  member: keyof typeof MAX_LISTS,
): RequestProblem | undefined => {
  const { entries, length } = MAX_LISTS[member];
  const list = request[member];
  if (list.length > entries) return malformed(`${member} has more than ${entries} entries`);
  for (const text of list) {
    if (text.length > length) return malformed(`${member} has an entry longer than ${length} characters`);
    if (!text.isWellFormed()) return malformed(`${member} has an entry that is no Unicode text`);
  }
  return undefined;
};

const findGrantProblem = ({ grantType }: TokenRequest): RequestProblem | undefined => {
  if (grantType === CLIENT_CREDENTIALS) return undefined;
  const found =
    grantType === ''
      ? 'grant_type is missing'
      : `grant type ${quote([grantType.slice(0, 64)])} is not supported`;
  return problem('unsupported_grant_type', `${found}: use ${CLIENT_CREDENTIALS}`);
};

const findNameProblem = ({ tokenName }: TokenRequest): RequestProblem | undefined =>
  /\p{Cc}/u.test(tokenName)
    ? problem('invalid_request', 'token_name must have no control characters')
    : undefined;

/** What is wrong with the grant name or the form of a request (spec §4): checked first, since it needs no lookup. Lengths are in UTF-16 code units. */
export const findFormProblem = (request: TokenRequest): RequestProblem | undefined =>
  findGrantProblem(request) ??
  findTextProblem(request) ??
  findListProblem(request, 'audience') ??
  findListProblem(request, 'scope') ??
  (Number.isInteger(request.expiration)
    ? undefined
    : malformed('expiration is no whole number of seconds')) ??
  findNameProblem(request);

/** A well-formed request and its authenticated client; `now` in milliseconds. */
export interface GrantInput {
  readonly request: Pick<TokenRequest, 'audience' | 'scope' | 'expiration'>;
  readonly client: OAuthClient;
  /** From the assertion of a trusted issuer; undefined for the client's own owner. */
  readonly owner: string | undefined;
  readonly settings: IssuerSettings;
  readonly now: number;
}

/** What is granted to a request. */
export interface Grant {
  readonly owner: string;
  readonly audience: readonly string[];
  readonly scope: readonly string[];
  /** Seconds since the Unix epoch; undefined if the token never expires. */
  readonly expiration: number | undefined;
}

const unauthorized = (message: string): RequestProblem => problem('unauthorized_client', message);

/** Requested values, short enough for a gRPC trailer. */
const show = (values: readonly string[]): string => quote(values.map((value) => value.slice(0, 64)));

const problemOf = (violation: ClientViolation): RequestProblem => {
  switch (violation.kind) {
    case 'NoGrant':
      return unauthorized('this client gets no tokens: its allowedGrantTypes are empty');
    case 'Suspended':
      return unauthorized('this client is suspended');
    case 'ClaimsInvalid':
      return unauthorized(`this client gets no tokens: its ${violation.problem}`);
    case 'NoOwner':
      return unauthorized('this client has no owner: it needs a spec.owner');
    case 'AudienceNotAllowed':
      return problem('invalid_target', `audience ${show(violation.values)} is not allowed for this client`);
    case 'AudienceMissing':
      return problem('invalid_target', 'an audience has to be asked for: one that this client allows');
    case 'ScopeNotAllowed':
      return problem('invalid_scope', `scope ${show(violation.values)} is not allowed for this client`);
  }
};

const findExpirationProblem = ({ request, client, now }: GrantInput): RequestProblem | undefined => {
  const { expiration } = request;
  if (expiration <= 0) return undefined;
  const invalid = (message: string): RequestProblem => problem('invalid_request', message);
  if (expiration <= floorSeconds(now)) return invalid('expiration is in the past: ask for a later one');
  if (expiration > LAST_SECOND) return invalid('expiration is too late: ask for one before the year 10000');
  const maximum = clientMaximum(client);
  if (maximum === undefined || expiration <= floorSeconds(now) + maximum) return undefined;
  return invalid(
    `expiration is later than the ${maximum} s that this client may have: ask for an earlier one`,
  );
};

const OF_CLIENT = [ClientWithoutGrant, ClientSuspended, ClientClaimsInvalid, ClientWithoutOwner];
const OF_REQUEST = [AudienceNotAllowed, ScopeNotAllowed];

/** The first reason not to grant a request to its authenticated client, in the order of spec §4. */
export const findGrantDenial = (input: GrantInput): RequestProblem | undefined => {
  const { request, client, settings } = input;
  const { audience, scope } = request;
  const checked = { client, owner: input.owner ?? client.spec.owner, audience, scope, settings };
  const ofClient = findClientViolation(OF_CLIENT, checked);
  if (ofClient) return problemOf(ofClient);
  const ofExpiration = findExpirationProblem(input);
  if (ofExpiration) return ofExpiration;
  const ofRequest = findClientViolation(OF_REQUEST, checked);
  return ofRequest && problemOf(ofRequest);
};

const distinct = (list: readonly string[]): readonly string[] =>
  list.length > 1 ? [...new Set(list)] : list;

const expirationOf = ({ request, client, now }: GrantInput): number | undefined => {
  if (request.expiration > 0) return request.expiration;
  const maximum = clientMaximum(client);
  return maximum === undefined ? undefined : floorSeconds(now) + maximum;
};

/** What a request without {@link findGrantDenial} is granted. */
export const grantOf = (input: GrantInput): Grant => {
  const { request, client, owner } = input;
  return {
    owner: owner ?? client.spec.owner ?? '',
    audience: distinct(request.audience),
    scope: grantedScope(client, distinct(request.scope)),
    expiration: expirationOf(input),
  };
};
