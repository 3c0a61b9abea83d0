import type { OAuthClient } from '../../api/oauth-client.ts';
import type { SignedClaims } from '../jwt/jwt-checks.ts';
import type { FoundRecord } from '../record/token-record.ts';
import { claimOf } from './client-id-claim.ts';

/** Whether a token is the client's own: of its client ID, and of the very object that it is (a re-created one has another UID). */
export const isOwnToken = (caller: OAuthClient, record: FoundRecord, claims: SignedClaims): boolean => {
  if (claims.client_id !== claimOf(caller)) return false;
  const { namespace, name, uid } = caller.metadata;
  // The record of a JWT whose status is still to be written knows the client by name alone.
  return record.state === 'Next' ? record.client === `${namespace}/${name}` : record.clientUID === uid;
};

/** Whether a client may be told of a token (spec §2.4, `spec.introspection`): its own ones always. */
export const mayIntrospect = (caller: OAuthClient, record: FoundRecord, claims: SignedClaims): boolean => {
  const { policy = 'Own', audiences = [] } = caller.spec.introspection ?? {};
  if (policy === 'All' || isOwnToken(caller, record, claims)) return true;
  const { aud } = claims;
  return policy === 'Audience' && Array.isArray(aud) && aud.some((audience) => audiences.includes(audience));
};

/**
 * What a caller is told of a good token: all that the JWT says but the claims of somebody else that it carries. An earlier JWT of a
 * declared Token is good for its overlap alone: `exp` says so, since callers may keep an answer until then (RFC 7662 §4).
 */
export const introspectionOf = (
  { expiration }: FoundRecord,
  { originalTokenClaims: _original, ...claims }: SignedClaims,
): SignedClaims => (expiration === undefined ? claims : { ...claims, exp: expiration });
