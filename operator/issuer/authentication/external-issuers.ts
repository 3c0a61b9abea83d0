import { isThisIssuer } from '../../domain/client/client-rules.ts';
import { isSameButForSlash } from '../../domain/client/issuer-identity.ts';
import { EXTERNAL_JWT_TYPES, isJwtTypeIn, type JwtType } from '../../domain/jwt/jwt-type.ts';
import type { Clock } from '../../ports/clock.ts';
import type { RemoteKeys, VerificationWait } from './remote-keys.ts';
import {
  type Claims,
  EXP_MISSING,
  findTimeProblem,
  hasAudience,
  readUnverifiedJwt,
} from './unverified-jwt.ts';

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
  /** Equal to the discovery document's `issuer`, but for one slash at the end; `iss` equals one of the two. */
  readonly authority: string;
  /** `*` accepts any audience. */
  readonly audience: string;
  readonly caFile?: string | undefined;
  /** Types of its JWTs that are accepted beside {@link EXTERNAL_JWT_TYPES}. */
  readonly additionalTypes?: readonly string[] | undefined;
}

/**
 * The claims of a valid JWT, or what alone keeps one that the issuer has signed from being valid: who sends it has it from the issuer, and may
 * learn what to change.
 */
type ExternalJwt = { readonly claims: Claims } | { readonly lacks: string };

/** Verifies JWTs of external issuers by OpenID Connect Discovery and their JWKS, within the limits of spec §4. */
export interface ExternalIssuers {
  /** The claims, if signature, `iss`, `aud`, times and `sub` are valid. @throws IssuerFailure `Unavailable` if no usable keys can be fetched */
  verify(jwt: string, issuer: ExternalIssuer, wait: VerificationWait): Promise<ExternalJwt | undefined>;
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
  if (typeof claims.iss !== 'string' || !isSameButForSlash(claims.iss, issuer.authority))
    return 'iss is not the authority';
  if (issuer.audience !== '*' && !hasAudience(claims, issuer.audience)) return 'aud lacks the audience';
  if (typeof claims.sub !== 'string' || claims.sub === '') return 'sub is missing';
  return findTimeProblem(claims, now);
};

/** What a JWT with these signed claims lacks, as the end of a message; `discovered` is the issuer in the discovery document. */
const findLack = (claims: Claims, authority: string, discovered: string | undefined): string | undefined => {
  if (claims.iss !== authority && claims.iss !== discovered) {
    const others = `the authority and the issuer in the discovery document, ${JSON.stringify(authority)}`;
    return `its iss is ${JSON.stringify(claims.iss)}, which differs by the slash at the end from ${others}`;
  }
  return claims.exp === undefined || claims.exp === null ? 'it has no exp, which is required' : undefined;
};

/**
 * Makes {@link ExternalIssuers}. A JWT with invalid claims causes no fetch of keys, apart from one without `exp`: issuers that leave it out
 * are found by what their signed JWTs get.
 */
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
    const findProblem = (claims: Claims): string | undefined => {
      const problem = findExternalJwtProblem({ ...parsed, claims }, issuer, clock.now());
      return problem === EXP_MISSING ? undefined : problem;
    };
    if (findProblem(parsed.claims) !== undefined) return undefined;
    const verified = await keys.verify(parsed, { kind: 'authority', url, caFile }, wait);
    // Checked again: these claims are the signed ones, and fetching keys takes time.
    if (!verified || findProblem(verified.claims) !== undefined) return undefined;
    const lacks = findLack(verified.claims, url, verified.issuer);
    return lacks === undefined ? { claims: verified.claims } : { lacks };
  },
});
