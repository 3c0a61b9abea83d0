import { CLIENT_CREDENTIALS, quote } from './client-allowances.ts';

/** What a token is asked for with, as a door has read it; '' where a text is absent. */
export interface RequestShape {
  readonly clientID: string;
  readonly clientSecret: string;
  readonly assertionType: string;
  readonly assertion: string;
  readonly grantType: string;
  readonly audience: readonly string[];
  readonly scope: readonly string[];
  readonly expiration: number;
  readonly tokenName: string;
}

/** OAuth's words for what is wrong with a request (RFC 6749 §5.2, RFC 8707 §2); `malformed` for what is beyond a limit. */
type RequestProblemCode =
  | 'malformed'
  | 'unsupported_grant_type'
  | 'invalid_request'
  | 'invalid_scope'
  | 'invalid_target'
  | 'unauthorized_client';

/** Why no token is given, in words that the caller may read. */
export interface RequestProblem {
  readonly code: RequestProblemCode;
  readonly message: string;
}

/** The longest assertion, in characters: what is read before anybody has proved anything. */
export const MAX_ASSERTION = 16_384;

/** The longest each may be, in UTF-16 code units; the resources' own limits where there are such (api/). */
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

/** The names of the members on the wire. */
const WIRE_NAMES = {
  clientID: 'client_id',
  clientSecret: 'client_secret',
  assertionType: 'client_assertion_type',
  assertion: 'client_assertion',
  grantType: 'grant_type',
  tokenName: 'token_name',
} as const;

const malformed = (message: string): RequestProblem => ({ code: 'malformed', message });

const findTextProblem = (request: RequestShape): RequestProblem | undefined => {
  for (const [member, max] of Object.entries(MAX_LENGTHS) as [keyof typeof MAX_LENGTHS, number][]) {
    const text = request[member];
    if (text.length > max) return malformed(`${WIRE_NAMES[member]} is longer than ${max} characters`);
    if (!text.isWellFormed()) return malformed(`${WIRE_NAMES[member]} is no Unicode text`);
  }
  return undefined;
};

const findListProblem = (
  request: RequestShape,
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

const findGrantProblem = ({ grantType }: RequestShape): RequestProblem | undefined => {
  if (grantType === CLIENT_CREDENTIALS) return undefined;
  const found =
    grantType === ''
      ? 'grant_type is missing'
      : `grant type ${quote([grantType.slice(0, 64)])} is not supported`;
  return { code: 'unsupported_grant_type', message: `${found}: use ${CLIENT_CREDENTIALS}` };
};

const findNameProblem = ({ tokenName }: RequestShape): RequestProblem | undefined =>
  /\p{Cc}/u.test(tokenName)
    ? { code: 'invalid_request', message: 'token_name must have no control characters' }
    : undefined;

/**
 * What can be said against a request without looking anything up (spec §4: shape and grant name come first);
 * undefined where nothing can. Sizes are those of texts in UTF-16 code units.
 */
export const findShapeProblem = (request: RequestShape): RequestProblem | undefined =>
  findGrantProblem(request) ??
  findTextProblem(request) ??
  findListProblem(request, 'audience') ??
  findListProblem(request, 'scope') ??
  (Number.isInteger(request.expiration)
    ? undefined
    : malformed('expiration is no whole number of seconds')) ??
  findNameProblem(request);
