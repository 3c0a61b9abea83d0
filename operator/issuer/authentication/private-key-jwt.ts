import type { OAuthClient } from '../../api/oauth-client.ts';
import { CLIENT_ASSERTION_TYPES, isJwtTypeIn } from '../../domain/jwt/jwt-type.ts';
import type { Clock } from '../../ports/clock.ts';
import type { FindJwkProblem } from '../../ports/keys.ts';
import type { IsOwnKey } from '../keys/own-keys.ts';
import type { AssertionInput, CheckAssertion } from './client-assertions.ts';
import { createKeySet, type KeySet } from './key-set.ts';
import type { RemoteKeys } from './remote-keys.ts';
import { type Claims, findTimeProblem, LEEWAY_SECONDS } from './unverified-jwt.ts';

export interface PrivateKeyJwtOptions {
  /** `issuer.url` of the configuration. */
  readonly issuerUrl: string;
  readonly findJwkProblem: FindJwkProblem;
  readonly isOwnKey: IsOwnKey;
  readonly keys: RemoteKeys;
  readonly clock: Clock;
}

type PrivateKeyJwt = NonNullable<NonNullable<OAuthClient['spec']['authentication']>['privateKeyJWT']>;
type Jwks = NonNullable<PrivateKeyJwt['jwks']>;

/** The longest time until `exp` (spec §4): the record that prevents a replay must outlive the assertion. */
const LONGEST_SECONDS = 300;
const MAX_ID = 256;

/** What is wrong with the claims of an assertion (RFC 7523 §3, spec §4), as fixed text; `now` in milliseconds. */
const findAssertionProblem = (
  claims: Claims,
  { clientID, audiences, now }: { clientID: string; audiences: readonly string[]; now: number },
): string | undefined => {
  const { iss, sub, aud, exp, jti } = claims;
  if (iss !== clientID || sub !== clientID) return 'iss and sub are not both the client ID';
  const audience: unknown = Array.isArray(aud) && aud.length === 1 ? aud[0] : aud;
  if (typeof audience !== 'string' || !audiences.includes(audience)) return 'aud is not the issuer alone';
  if (typeof jti !== 'string' || jti === '' || jti.length > MAX_ID) return 'jti is missing or too long';
  const problem = findTimeProblem(claims, now);
  if (problem !== undefined) return problem;
  const isTooLong = typeof exp === 'number' && exp > now / 1000 + LONGEST_SECONDS + LEEWAY_SECONDS;
  return isTooLong ? 'exp is more than 5 min ahead' : undefined;
};

/** When an assertion can have been used first, by its claims: it must have been signed, be valid, and expire within 5 min. */
const earliestUseOf = ({ iat, nbf, exp }: Claims): number =>
  Math.max(
    Number(exp) - LONGEST_SECONDS,
    ...[iat, nbf].filter((claim): claim is number => typeof claim === 'number'),
  );

/** Checks assertions that the client signed with its own key (RFC 7523 §2.2, `private_key_jwt`). */
export const createPrivateKeyJwt = (options: PrivateKeyJwtOptions): CheckAssertion => {
  const { issuerUrl, findJwkProblem, isOwnKey, keys, clock } = options;
  /** Key sets of `spec.authentication.privateKeyJWT.jwks`, which is frozen; collected together with it. */
  const inline = new WeakMap<Jwks, KeySet>();

  const keySetOf = (jwks: Jwks): KeySet => {
    const known = inline.get(jwks);
    if (known) return known;
    const usable = jwks.keys.filter((key) => findJwkProblem(key) === undefined);
    const made = createKeySet(usable, isOwnKey);
    inline.set(jwks, made);
    return made;
  };

  const verify = async (
    method: PrivateKeyJwt,
    { client, jwt, signal, inTurn }: AssertionInput,
  ): Promise<Claims | undefined> => {
    const { jwks, jwksURI } = method;
    if (jwks) {
      const verification = await inTurn(() => keySetOf(jwks).verify(jwt));
      return verification.kind === 'valid' ? verification.claims : undefined;
    }
    if (jwksURI === undefined) return undefined;
    const { namespace } = client.metadata;
    const source = { kind: 'jwks', url: jwksURI } as const;
    return (await keys.verify(jwt, source, { namespace, signal, inTurn }))?.claims;
  };

  return async (input) => {
    const { client, clientID, jwt } = input;
    const method = client.spec.authentication?.privateKeyJWT;
    if (method === undefined || jwt.claims.iss !== clientID) return undefined;
    if (!isJwtTypeIn(jwt.type, CLIENT_ASSERTION_TYPES)) return { problem: 'typ is not that of an assertion' };
    const audiences = method.acceptTokenEndpointAudience
      ? [issuerUrl, `${issuerUrl}/oauth/token`]
      : [issuerUrl];
    const expected = () => ({ clientID, audiences, now: clock.now() });
    const problem = findAssertionProblem(jwt.claims, expected());
    if (problem !== undefined) return { problem };
    const claims = await verify(method, input);
    if (claims === undefined) return { problem: 'it is not signed by a key of the client' };
    const late = findAssertionProblem(claims, expected());
    if (late !== undefined) return { problem: late };
    const assertion = { id: String(claims.jti), earliestUse: earliestUseOf(claims) };
    return { authenticated: { client, method: 'privateKeyJWT', assertion } };
  };
};
