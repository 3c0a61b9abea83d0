import { isThisIssuer } from '../../domain/client/client-issuer.ts';
import { EXTERNAL_JWT_TYPES, isJwtTypeIn, type JwtType } from '../../domain/jwt/jwt-type.ts';
import type { Clock } from '../../ports/clock.ts';
import type { RemoteKeys, VerificationWait } from './remote-keys.ts';
import { type Claims, findTimeProblem, hasAudience, readUnverifiedJwt } from './unverified-jwt.ts';

/** The longest owner or subject of a record (api/issued-token.ts). */
const MAX_NAME = 512;

/** A claim that the JWT itself has: names like `constructor` lead to no inherited property. */
export const ownClaim = (claims: Claims, name: string): unknown =>
  Object.hasOwn(claims, name) ? claims[name] : undefined;

/**
 * The name of an owner or subject from a claim of an external issuer. Undefined if the claim has none that records can hold; names appear
 * in lists, logs and labels, so they have no control characters.
 */
export const prefixedName = (prefix: string, value: unknown): string | undefined => {
  if (typeof value !== 'string' || value === '') return undefined;
  const name = prefix + value;
  return name.length <= MAX_NAME && name.isWellFormed() && !/\p{Cc}/u.test(name) ? name : undefined;
};

/** An external issuer that a resource or the configuration trusts. */
export interface ExternalIssuer {
  /** Equal to `iss` and to the discovery document's `issuer`. */
  readonly authority: string;
  /** `*` accepts any audience. */
  readonly audience: string;
  readonly caFile?: string | undefined;
  /** Types of its JWTs that are accepted beside {@link EXTERNAL_JWT_TYPES}. */
  readonly additionalTypes?: readonly string[] | undefined;
}

/** Verifies JWTs of external issuers by OpenID Connect Discovery and their JWKS, within the limits of spec §4. */
export interface ExternalIssuers {
  /** The claims, if signature, `iss`, `aud`, times and `sub` are valid; else undefined. @throws IssuerFailure `Unavailable` if no usable keys can be fetched */
  verify(
    jwt: string,
    issuer: ExternalIssuer,
    wait: VerificationWait,
  ): Promise<Readonly<Record<string, unknown>> | undefined>;
}

export interface ExternalIssuersOptions {
  readonly keys: RemoteKeys;
  /** `issuer.url` of the configuration: this issuer is no external one. */
  readonly issuerUrl: string;
  /** Nor is it under a URL that it had before; absent: none. */
  readonly previousURLs?: readonly string[] | undefined;
  readonly clock: Clock;
}

/** What is wrong with the type and the claims of a JWT of that issuer (spec §4), as fixed text. */
const findExternalJwtProblem = (
  { type, claims }: { type: JwtType; claims: Claims },
  issuer: ExternalIssuer,
  now: number,
): string | undefined => {
  if (!isJwtTypeIn(type, EXTERNAL_JWT_TYPES, issuer.additionalTypes)) return 'typ is none that is accepted';
  if (claims.iss !== issuer.authority) return 'iss is not the authority';
  if (issuer.audience !== '*' && !hasAudience(claims, issuer.audience)) return 'aud lacks the audience';
  if (typeof claims.sub !== 'string' || claims.sub === '') return 'sub is missing';
  return findTimeProblem(claims, now);
};

/** Makes {@link ExternalIssuers}. A JWT with invalid claims causes no fetch of keys. */
export const createExternalIssuers = ({
  keys,
  issuerUrl,
  previousURLs = [],
  clock,
}: ExternalIssuersOptions): ExternalIssuers => ({
  verify: async (jwt, issuer, wait) => {
    const { authority: url, caFile } = issuer;
    const parsed = readUnverifiedJwt(jwt);
    if (!parsed || isThisIssuer({ url: issuerUrl, previousURLs }, url)) return undefined;
    if (findExternalJwtProblem(parsed, issuer, clock.now()) !== undefined) return undefined;
    const claims = await keys.verify(parsed, { kind: 'authority', url, caFile }, wait);
    // Checked again: these claims are the signed ones, and fetching keys takes time.
    const isValid = claims && !findExternalJwtProblem({ ...parsed, claims }, issuer, clock.now());
    return isValid ? claims : undefined;
  },
});
