import { isReservedClaim, TOKEN_CLAIM } from '../../api/reserved-claims.ts';
import { canonicalDigest } from '../canonical-json.ts';

/** What the configuration says of every JWT (spec §6, `issuer`). */
export interface IssuerSettings {
  /** `iss`. */
  readonly url: string;
  /** The claim that names the owner; wins over `sub` and `name`. */
  readonly ownerClaim: string;
  /** The claim that names the device; '' for none. */
  readonly deviceIDClaim: string;
  readonly tokenType: 'at+jwt' | 'JWT';
  /** How far `iat` lies before the time of signing, in milliseconds. */
  readonly backdateMs: number;
}

/** What a JWT says of its client and owner: all of it but its id and times. */
export interface ClaimsGrant {
  readonly clientID: string;
  readonly owner: string;
  readonly subject: string;
  readonly audience: readonly string[];
  readonly scope: readonly string[];
  readonly name: string;
  /** `<namespace>/<name>` of the Token, for declared ones alone. */
  readonly token?: string | undefined;
  readonly deviceID?: string | undefined;
  readonly originalTokenClaims?: Readonly<Record<string, unknown>> | undefined;
  /** The client's `spec.insertTokenClaims`. */
  readonly extraClaims?: Readonly<Record<string, unknown>> | undefined;
}

/** A JWT's id and times, in seconds since the Unix epoch; no `expiresAt` where it never expires. */
export interface ClaimsTimes {
  readonly id: string;
  readonly issuedAt: number;
  readonly expiresAt: number | undefined;
}

/** Header `typ` and claims, ready to sign. */
export interface JwtContent {
  readonly typ: 'at+jwt' | 'JWT';
  readonly claims: Readonly<Record<string, unknown>>;
}

const isReserved = (name: string, settings: IssuerSettings): boolean =>
  isReservedClaim(name) ||
  name === settings.ownerClaim ||
  (settings.deviceIDClaim !== '' && name === settings.deviceIDClaim);

/** The names among a client's extra claims that it may not set under this configuration, sorted. */
export const findReservedClaims = (
  extraClaims: Readonly<Record<string, unknown>> | undefined,
  settings: IssuerSettings,
): string[] =>
  Object.keys(extraClaims ?? {})
    .filter((name) => isReserved(name, settings))
    .sort();

/** `iat` of a JWT that is signed now: floored, less the configured backdate; seconds since the Unix epoch. */
export const issuedAtFor = (nowMs: number, settings: IssuerSettings): number =>
  Math.floor(nowMs / 1000) - Math.ceil(settings.backdateMs / 1000);

const present = (value: unknown): boolean => value !== undefined && value !== '';
const unlessEmpty = <T>(list: readonly T[]): readonly T[] | undefined => (list.length > 0 ? list : undefined);

const claimEntries = (settings: IssuerSettings, grant: ClaimsGrant, times: ClaimsTimes) => {
  const extra = Object.entries(grant.extraClaims ?? {}).filter(([name]) => !isReserved(name, settings));
  const standard: [string, unknown][] = [
    ['iss', settings.url],
    ['jti', times.id],
    ['sub', grant.subject],
    ['aud', unlessEmpty(grant.audience)],
    ['iat', times.issuedAt],
    ['exp', times.expiresAt],
    ['client_id', grant.clientID],
    ['scope', grant.scope.join(' ')],
    ['name', grant.name],
    [TOKEN_CLAIM, grant.token],
    ['originalTokenClaims', grant.originalTokenClaims],
  ];
  const device: [string, unknown][] =
    settings.deviceIDClaim === '' ? [] : [[settings.deviceIDClaim, grant.deviceID]];
  return [...standard, ...device, ...extra, [settings.ownerClaim, grant.owner] as [string, unknown]].filter(
    ([, value]) => present(value),
  );
};

/**
 * The one builder of claims for every door (spec §3). What is absent or empty is left out; the client's
 * extra claims never set a reserved one, whatever let them through; the owner claim comes last and wins.
 * `typ` is `JWT` where `exp` or `aud` is missing, since RFC 9068 §2.2 requires both of an `at+jwt`.
 * @throws RangeError where the owner is empty
 */
export const buildJwt = (settings: IssuerSettings, grant: ClaimsGrant, times: ClaimsTimes): JwtContent => {
  if (grant.owner === '') throw new RangeError('a JWT needs an owner');
  const claims = Object.fromEntries(claimEntries(settings, grant, times));
  return { typ: typeOf(claims, settings), claims };
};

/** The header `typ` that {@link buildJwt} gives to such claims. */
export const typeOf = (
  claims: Readonly<Record<string, unknown>>,
  settings: IssuerSettings,
): JwtContent['typ'] => (claims.exp === undefined || claims.aud === undefined ? 'JWT' : settings.tokenType);

const sortedSet = (list: readonly unknown[]): unknown[] => [...new Set(list)].sort();

/**
 * Tells whether two JWTs say the same but for `iat`, `exp` and `jti` (docs/decisions/0003): base64url SHA-256 of
 * the canonical JSON of `typ` and the other claims. `aud` and `scope` are sets: their order makes no difference.
 */
export const claimsDigest = ({ typ, claims }: JwtContent): string => {
  const { iat: _iat, exp: _exp, jti: _jti, aud, scope, ...rest } = claims;
  return canonicalDigest({
    typ,
    claims: {
      ...rest,
      aud: Array.isArray(aud) ? sortedSet(aud) : aud,
      scope: typeof scope === 'string' ? sortedSet(scope.split(' ')).join(' ') : scope,
    },
  });
};
