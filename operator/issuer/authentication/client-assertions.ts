import { API_VERSION } from '../../api/meta.ts';
import type { OAuthClient } from '../../api/oauth-client.ts';
import type { AuthenticatedClient } from '../use-cases.ts';
import type { InTurn } from './remote-keys.ts';
import type { UnverifiedJwt } from './unverified-jwt.ts';

/** The only `client_assertion_type` (RFC 7523 §2.2). */
export const JWT_BEARER = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';

/** An assertion, and the client that it is to authenticate. */
export interface AssertionInput {
  readonly client: OAuthClient;
  /** The client ID of that client. */
  readonly clientID: string;
  readonly jwt: UnverifiedJwt;
  /** The caller's. */
  readonly address: string;
  readonly signal: AbortSignal;
  readonly inTurn: InTurn;
}

/** The result of checking an assertion; `problem` is fixed text for the log. */
export type AssertionOutcome = { readonly authenticated: AuthenticatedClient } | { readonly problem: string };

/**
 * Checks an assertion by one method (spec §4). Undefined if the client has not configured the method, or the JWT does not claim to be
 * of its kind. @throws IssuerFailure
 */
export type CheckAssertion = (input: AssertionInput) => Promise<AssertionOutcome | undefined>;

/** A client without keys: checking an assertion of it costs what checking one of a client with keys costs, and always fails. */
const NOBODY: OAuthClient = {
  apiVersion: API_VERSION,
  kind: 'OAuthClient',
  metadata: { name: '', namespace: '', uid: '', resourceVersion: '', creationTimestamp: '' },
  spec: {
    accessTokenLifetime: '1h',
    allowedGrantTypes: [],
    recording: 'PerToken',
    authentication: { privateKeyJWT: { jwks: { keys: [] } } },
  },
};

const checkAssertions = async (
  assertions: readonly CheckAssertion[],
  input: AssertionInput,
): Promise<AssertionOutcome> => {
  let problem = 'it is of no method that the client has configured';
  for (const check of assertions) {
    const outcome = await check(input);
    if (outcome === undefined) continue;
    if ('authenticated' in outcome) return outcome;
    problem = outcome.problem;
  }
  return { problem };
};

/** Checks an assertion of a client that has an assertion method. One that is rejected costs a check by `privateKeyJWT`, whatever the method. */
export const checkEqually = async (
  assertions: readonly CheckAssertion[],
  client: OAuthClient | undefined,
  input: Omit<AssertionInput, 'client'>,
): Promise<AssertionOutcome | undefined> => {
  const outcome = client && (await checkAssertions(assertions, { ...input, client }));
  if (outcome && 'authenticated' in outcome) return outcome;
  const hasDone = client?.spec.authentication?.privateKeyJWT !== undefined;
  if (!hasDone) await checkAssertions(assertions, { ...input, client: NOBODY });
  return outcome;
};
