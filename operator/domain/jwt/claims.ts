import { isReservedClaim, TOKEN_CLAIM } from '../../api/reserved-claims.ts';
import { canonicalDigest } from '../canonical-json.ts';

/** Claims of a JWT that a key of this issuer has signed. */
export type SignedClaims = Readonly<Record<string, unknown>>;

/** What the configuration determines of every JWT (spec §6, `issuer`). */
export interface IssuerSettings {
  /** `iss`. */
  readonly url: string;
  /** `issuer.previousURLs`: what `iss` was before; no JWT is signed with it any more. Absent: none. */
  readonly previousURLs?: readonly string[];
  /** The name of the claim that has the owner; it overrides `sub` and `name`. */
  readonly ownerClaim: string;
  /** The name of the claim that has the device ID; '' for none. */
  readonly deviceIDClaim: string;
  readonly tokenType: 'at+jwt' | 'JWT';
  /** How far `iat` is before the time of signing, in milliseconds. */
  readonly backdateMs: number;
}

/** What a JWT says about its client and owner: everything but its `jti` and times. */
export interface ClaimsGrant {
  readonly clientID: string;
  readonly owner: string;
  readonly subject: string;
  readonly audience: readonly string[];
  readonly scope: readonly string[];
  readonly name: string;
  /** `<namespace>/<name>` of the Token; undefined for an issued token. */
  readonly token?: string | undefined;
  readonly deviceID?: string | undefined;
  readonly originalTokenClaims?: Readonly<Record<string, unknown>> | undefined;
  /** The client's `spec.insertTokenClaims`. */
  readonly extraClaims?: Readonly<Record<string, unknown>> | undefined;
}

/** A JWT's `jti` and times, in seconds since the Unix epoch; `expiresAt` is undefined if it never expires. */
export interface ClaimsTimes {
  readonly id: string;
  readonly issuedAt: number;
  readonly expiresAt: number | undefined;
}

/** Header `typ` and claims, ready to be signed. */
export interface JwtContent {
  readonly typ: 'at+jwt' | 'JWT';
  readonly claims: Readonly<Record<string, unknown>>;
}

/**
 * How a claim gets its value. A claim in the digest depends on settings and grant only: if it depended on the time or the issuance,
 * every Token would be `ClaimsChanged` at each reconcile and be issued again without end.
 */
type ClaimRule =
  | {
      readonly inDigest: true;
      readonly value: (settings: IssuerSettings, grant: ClaimsGrant) => unknown;
    }
  | {
      readonly inDigest: false;
      readonly value: (settings: IssuerSettings, grant: ClaimsGrant, times: ClaimsTimes) => unknown;
    };

const unlessEmpty = <T>(list: readonly T[]): readonly T[] | undefined => (list.length > 0 ? list : undefined);

/**
 * The claims that the issuer sets (spec §3), in the order in which they are in a JWT; the claims with configured names and those that
 * a client inserts come on top, all of them part of the digest. Each has to be in `RESERVED_CLAIMS`.
 */
export const CLAIMS: Readonly<Record<string, ClaimRule>> = {
  iss: { inDigest: true, value: ({ url }) => url },
  jti: { inDigest: false, value: (_settings, _grant, { id }) => id },
  sub: { inDigest: true, value: (_settings, { subject }) => subject },
  aud: { inDigest: true, value: (_settings, { audience }) => unlessEmpty(audience) },
  iat: { inDigest: false, value: (_settings, _grant, { issuedAt }) => issuedAt },
  exp: { inDigest: false, value: (_settings, _grant, { expiresAt }) => expiresAt },
  client_id: { inDigest: true, value: (_settings, { clientID }) => clientID },
  scope: { inDigest: true, value: (_settings, { scope }) => scope.join(' ') },
  name: { inDigest: true, value: (_settings, { name }) => name },
  [TOKEN_CLAIM]: { inDigest: true, value: (_settings, { token }) => token },
  originalTokenClaims: { inDigest: true, value: (_settings, grant) => grant.originalTokenClaims },
};

const isReserved = (name: string, settings: IssuerSettings): boolean =>
  isReservedClaim(name) ||
  name === settings.ownerClaim ||
  (settings.deviceIDClaim !== '' && name === settings.deviceIDClaim);

/** The names among a client's extra claims that a client may not set under this configuration, sorted (spec §2.4). */
export const findReservedClaims = (
  extraClaims: Readonly<Record<string, unknown>> | undefined,
  settings: IssuerSettings,
): string[] =>
  Object.keys(extraClaims ?? {})
    .filter((name) => isReserved(name, settings))
    .sort();

/**
 * How far a replica's clock may be off the API server's, in seconds: beyond it the replica is not ready and neither issues nor
 * validates (spec §3, Clock).
 */
export const MAX_CLOCK_SKEW_SECONDS = 120;

/** `iat` of a JWT that is signed at `nowMs`: rounded down, less the configured backdate, in seconds since the Unix epoch. */
export const issuedAtFor = (nowMs: number, { backdateMs }: Pick<IssuerSettings, 'backdateMs'>): number =>
  Math.floor(nowMs / 1000) - Math.ceil(backdateMs / 1000);

const isPresent = (value: unknown): boolean => value !== undefined && value !== '';

const configuredClaims = (
  { ownerClaim, deviceIDClaim }: IssuerSettings,
  { owner, deviceID, extraClaims }: ClaimsGrant,
  isAllowed: (name: string) => boolean,
): [string, unknown][] => {
  const device: [string, unknown][] = deviceIDClaim === '' ? [] : [[deviceIDClaim, deviceID]];
  const extra = Object.entries(extraClaims ?? {}).filter(([name]) => isAllowed(name));
  return [...device, ...extra, [ownerClaim, owner]];
};

/**
 * Builds the claims of every JWT (spec §3). A claim without a value is omitted. Extra claims of the client never set a reserved claim,
 * and the owner claim overrides the others. `typ` is `JWT` if `exp` or `aud` is missing, both of which RFC 9068 §2.2 requires of
 * an `at+jwt`.
 * @throws RangeError if the owner is empty
 */
export const buildJwt = (settings: IssuerSettings, grant: ClaimsGrant, times: ClaimsTimes): JwtContent => {
  if (grant.owner === '') throw new RangeError('a JWT needs an owner');
  const issued = Object.entries(CLAIMS).map(([name, { value }]): [string, unknown] => [
    name,
    value(settings, grant, times),
  ]);
  const configured = configuredClaims(settings, grant, (name) => !isReserved(name, settings));
  const claims = Object.fromEntries([...issued, ...configured].filter(([, value]) => isPresent(value)));
  return { typ: typeOf(claims, settings), claims };
};

/** The header `typ` that {@link buildJwt} gives to such claims. */
export const typeOf = (
  claims: Readonly<Record<string, unknown>>,
  settings: IssuerSettings,
): JwtContent['typ'] => (claims.exp === undefined || claims.aud === undefined ? 'JWT' : settings.tokenType);

const isInDigest = (name: string): boolean => !Object.hasOwn(CLAIMS, name) || CLAIMS[name]?.inDigest === true;

const sortedSet = (list: readonly unknown[]): unknown[] => [...new Set(list)].sort();

/**
 * `status.claimsDigest` (spec §2.1, docs/decisions/0003): base64url of the SHA-256 of the canonical JSON of `typ` and of the claims
 * that {@link CLAIMS} does not exclude. Equal digests mean that two JWTs differ in `iat`, `exp` and `jti` at most. `aud` and `scope`
 * are sets, whose order does not count.
 */
export const claimsDigest = ({ typ, claims }: JwtContent): string => {
  const { aud, scope } = claims;
  const others = Object.entries(claims).filter(([name]) => isInDigest(name));
  return canonicalDigest({
    typ,
    claims: {
      ...Object.fromEntries(others),
      aud: Array.isArray(aud) ? sortedSet(aud) : aud,
      scope: typeof scope === 'string' ? sortedSet(scope.split(' ')).join(' ') : scope,
    },
  });
};
