import type { OAuthClient } from '../../api/oauth-client.ts';
import type { SignedClaims } from '../jwt/jwt-checks.ts';
import type { FoundRecord } from '../record/token-record.ts';
import { claimOf } from './client-id-claim.ts';

/** Whether a token was issued to this client: by client ID, and by UID, since a client that was created again is another one. */
export const isOwnToken = (caller: OAuthClient, record: FoundRecord, claims: SignedClaims): boolean => {
  if (claims.client_id !== claimOf(caller)) return false;
  const { namespace, name, uid } = caller.metadata;
  // The record of a JWT whose status is not written yet has no UID.
  return record.state === 'Next' ? record.client === `${namespace}/${name}` : record.clientUID === uid;
};

/** Whether a client may introspect a token (spec §2.4, `spec.introspection`). It always may its own ones. */
export const mayIntrospect = (caller: OAuthClient, record: FoundRecord, claims: SignedClaims): boolean => {
  const { policy = 'Own', audiences = [] } = caller.spec.introspection ?? {};
  if (policy === 'All' || isOwnToken(caller, record, claims)) return true;
  const { aud } = claims;
  return policy === 'Audience' && Array.isArray(aud) && aud.some((audience) => audiences.includes(audience));
};

/**
 * The claims that introspection of a valid token returns: those of the JWT, without `originalTokenClaims`. A previous JWT of a Token is
 * valid for its overlap only, which `exp` has to say, since callers may cache an answer until then (RFC 7662 §4). If nothing differs, it
 * is the same object, whose text the endpoint has cached.
 */
export const introspectionOf = ({ expiration }: FoundRecord, signed: SignedClaims): SignedClaims => {
  const exp = expiration ?? signed.exp;
  if (exp === signed.exp && signed.originalTokenClaims === undefined) return signed;
  const { originalTokenClaims: _original, ...claims } = signed;
  return exp === undefined ? claims : { ...claims, exp };
};
