/** The claim that names the declared Token of a JWT (spec §3). */
export const TOKEN_CLAIM = 'm2moauth.dev/token';

/** Claims that the issuer sets itself: no client's extra claims may (spec §2.4). The configured owner and device-ID claims come on top. */
export const RESERVED_CLAIMS = [
  'iss',
  'sub',
  'aud',
  'exp',
  'nbf',
  'iat',
  'jti',
  'client_id',
  'scope',
  'name',
  'cnf',
  'act',
  'may_act',
  'originalTokenClaims',
  TOKEN_CLAIM,
] as const;

/** Whether a claim of that name is the issuer's own, whatever the configuration. */
export const isReservedClaim = (name: string): boolean =>
  (RESERVED_CLAIMS as readonly string[]).includes(name);
