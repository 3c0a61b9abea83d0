/**
 * The types that a JWT may have by its header (RFC 7515 §4.1.9) or, if that says no more than that it is a JWT, by its claims. In lower
 * case and without `application/`; `jwt` is one of no particular type, `id_token` an OpenID Connect ID token.
 */
export type JwtType = string;

/** What marks a JWT by its claims, in the order in which they are compared. */
const MARKS: readonly (readonly [claim: string, type: JwtType])[] = [
  // RFC 8417 §2.2. An OpenID Connect logout token is one of these.
  ['events', 'secevent+jwt'],
  // OpenID Connect Core 1.0 §3.1.3.6 and §3.3.2.11: hashes of what an ID token was issued with.
  ['at_hash', 'id_token'],
  ['c_hash', 'id_token'],
];

/** A type in the form in which types are compared: RFC 7515 §4.1.9 says what may be left out, RFC 2045 §5.1 that case does not matter. */
const normalizeJwtType = (type: string): JwtType => {
  const lower = type.toLowerCase();
  const subtype = lower.startsWith('application/') ? lower.slice('application/'.length) : lower;
  return subtype.includes('/') ? lower : subtype;
};

/** The type of a JWT (RFC 8725 §3.11); undefined if its `typ` is no text. */
export const jwtTypeOf = (typ: unknown, claims: Readonly<Record<string, unknown>>): JwtType | undefined => {
  if (typ !== undefined && typeof typ !== 'string') return undefined;
  const type = normalizeJwtType(typ ?? 'JWT');
  return type === 'jwt' ? (MARKS.find(([claim]) => Object.hasOwn(claims, claim))?.[1] ?? 'jwt') : type;
};

/** Of JWTs of external issuers, as bearers or as assertions: access tokens (RFC 9068 §2.1), and those without a type of their own. */
export const EXTERNAL_JWT_TYPES: readonly JwtType[] = ['jwt', 'at+jwt'];

/** Of assertions that a client signs (RFC 7523; its revision gives them a type of their own). */
export const CLIENT_ASSERTION_TYPES: readonly JwtType[] = ['jwt', 'client-authentication+jwt'];

/** Whether a type is among those, or among the additional ones, which are compared as types are. */
export const isJwtTypeIn = (
  type: JwtType,
  types: readonly JwtType[],
  additional: readonly string[] = [],
): boolean => types.includes(type) || additional.some((other) => normalizeJwtType(other) === type);
