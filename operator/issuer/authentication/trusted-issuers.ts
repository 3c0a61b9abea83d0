import type { OAuthClient } from '../../api/oauth-client.ts';
import type { AssertionOutcome, CheckAssertion } from './assertion.ts';
import type { ExternalIssuers } from './external-issuers.ts';
import { ownClaim, prefixedName } from './external-name.ts';
import { originalClaimsOf } from './original-claims.ts';
import { type Claims, hasAudience } from './unverified-jwt.ts';

export interface TrustedIssuersOptions {
  readonly issuers: ExternalIssuers;
  /** The claim that names the owner (spec §6, `issuer.ownerClaim`). */
  readonly ownerClaim: string;
}

type TrustedIssuer = NonNullable<
  NonNullable<OAuthClient['spec']['authentication']>['trustedIssuers']
>[number];

const hasClaims = (claims: Claims, required: Readonly<Record<string, string>> = {}): boolean =>
  Object.entries(required).every(([name, value]) => Object.hasOwn(claims, name) && claims[name] === value);

/** Whether the JWT would be accepted if it is what it says. */
const accepts = (issuer: TrustedIssuer, claims: Claims): boolean =>
  claims.iss === issuer.authority &&
  (issuer.audience === '*' || hasAudience(claims, issuer.audience)) &&
  hasClaims(claims, issuer.requiredClaims);

/** The assertion is a JWT of an OpenID provider that the client trusts; owner and subject come from it (spec §2.4). */
export const createTrustedIssuers = ({ issuers, ownerClaim }: TrustedIssuersOptions): CheckAssertion => {
  const prove = (client: OAuthClient, issuer: TrustedIssuer, claims: Claims): AssertionOutcome => {
    const prefix = issuer.ownerPrefix ?? '';
    const owner = prefixedName(prefix, ownClaim(claims, ownerClaim));
    const subject = prefixedName(prefix, claims.sub);
    if (owner === undefined) return { problem: 'the owner claim is missing, or can not name an owner' };
    if (subject === undefined) return { problem: 'sub can not name a subject' };
    const originalTokenClaims = originalClaimsOf(claims, issuer.claims);
    return { proved: { client, method: 'trustedIssuer', owner, subject, originalTokenClaims } };
  };

  return async ({ client, jwt, signal }) => {
    const trusted = client.spec.authentication?.trustedIssuers ?? [];
    const named = trusted.filter(({ authority }) => authority === jwt.claims.iss);
    if (named.length === 0) return undefined;
    const accepting = named.filter((issuer) => accepts(issuer, jwt.claims));
    if (accepting.length === 0) return { problem: 'aud or a required claim is not what the client asks for' };
    for (const issuer of accepting) {
      const claims = await issuers.verify(jwt.jwt, issuer, signal);
      if (claims && accepts(issuer, claims)) return prove(client, issuer, claims);
    }
    return { problem: 'it is expired, incomplete, or not signed by the issuer' };
  };
};
