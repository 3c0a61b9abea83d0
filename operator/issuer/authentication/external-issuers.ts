import type { Clock } from '../../ports/clock.ts';
import type { RemoteKeys } from './remote-keys.ts';
import { type Claims, findTimeProblem, hasAudience, readUnverifiedJwt } from './unverified-jwt.ts';

/** An issuer whose JWTs are believed, as a resource or the configuration names it. */
export interface ExternalIssuer {
  /** Equal to `iss` and to the discovery document's `issuer`. */
  readonly authority: string;
  /** `*` = any, on purpose. */
  readonly audience: string;
  readonly caFile?: string | undefined;
}

/** Verifies JWTs of other issuers by OpenID Connect Discovery and their JWKS, within the limits of spec §4. */
export interface ExternalIssuers {
  /** The claims, signature, `iss`, `aud`, times, `sub` checked; undefined where it is bad. @throws IssuerFailure `Unavailable` where no usable keys can be had */
  verify(
    jwt: string,
    issuer: ExternalIssuer,
    signal: AbortSignal,
  ): Promise<Readonly<Record<string, unknown>> | undefined>;
}

export interface ExternalIssuersOptions {
  readonly keys: RemoteKeys;
  readonly clock: Clock;
}

/** What is wrong with the claims of a JWT of that issuer (spec §4); fixed words. */
const findExternalJwtProblem = (claims: Claims, issuer: ExternalIssuer, now: number): string | undefined => {
  if (claims.iss !== issuer.authority) return 'iss is another';
  if (issuer.audience !== '*' && !hasAudience(claims, issuer.audience)) return 'aud lacks the audience';
  if (typeof claims.sub !== 'string' || claims.sub === '') return 'sub is missing';
  return findTimeProblem(claims, now);
};

/** {@link ExternalIssuers} over keys that are fetched by discovery. What can't be good by its own words costs no fetch. */
export const createExternalIssuers = ({ keys, clock }: ExternalIssuersOptions): ExternalIssuers => ({
  verify: async (jwt, issuer, signal) => {
    const parsed = readUnverifiedJwt(jwt);
    if (!parsed || findExternalJwtProblem(parsed.claims, issuer, clock.now()) !== undefined) return undefined;
    const { authority: url, caFile } = issuer;
    const claims = await keys.verify(parsed, { kind: 'authority', url, caFile }, signal);
    // The clock went on while keys were fetched, and these claims are the signed ones.
    return claims && findExternalJwtProblem(claims, issuer, clock.now()) === undefined ? claims : undefined;
  },
});
