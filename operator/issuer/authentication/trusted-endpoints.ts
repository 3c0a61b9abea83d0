import { isSameButForSlash } from '../../domain/client/issuer-identity.ts';
import type { ExternalIssuer } from './external-issuers.ts';
import { type Claims, hasAudience } from './unverified-jwt.ts';

/** An external issuer whose bearers are trusted (spec §6, `authorization.endpoints`). */
export interface TrustedEndpoint extends ExternalIssuer {
  readonly ownerPrefix?: string | undefined;
  /** Whether its bearers may be assertions too. */
  readonly alsoAssertions?: boolean | undefined;
}

/**
 * Whether a JWT is a bearer of an endpoint that keeps its bearers from being assertions: who is sent one to list tokens could otherwise get
 * tokens with it.
 */
export const isBearerOnly = (endpoints: readonly TrustedEndpoint[], claims: Claims): boolean =>
  endpoints.some(
    ({ authority, audience, alsoAssertions }) =>
      alsoAssertions !== true &&
      typeof claims.iss === 'string' &&
      isSameButForSlash(authority, claims.iss) &&
      (audience === '*' || hasAudience(claims, audience)),
  );
