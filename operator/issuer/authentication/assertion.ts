import type { OAuthClient } from '../../api/oauth-client.ts';
import type { AuthenticatedClient } from '../use-cases.ts';
import type { UnverifiedJwt } from './unverified-jwt.ts';

/** `client_assertion_type` of the one kind of assertion there is (RFC 7523 §2.2). */
export const JWT_BEARER = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';

/** An assertion, and the client that it is to prove. */
export interface AssertionInput {
  readonly client: OAuthClient;
  /** That the client holds. */
  readonly clientID: string;
  readonly jwt: UnverifiedJwt;
  readonly signal: AbortSignal;
}

/** What an assertion proves; `problem` is fixed words for the log. */
export type AssertionOutcome = { readonly proved: AuthenticatedClient } | { readonly problem: string };

/** One way in which a client may prove itself by a JWT. Undefined where the client has not configured it, or the JWT does not claim to be of that kind. @throws IssuerFailure */
export type CheckAssertion = (input: AssertionInput) => Promise<AssertionOutcome | undefined>;
