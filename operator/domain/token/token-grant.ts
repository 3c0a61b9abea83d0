import { grantedScope } from '../client/client-allowances.ts';
import { buildJwt, type ClaimsGrant, claimsDigest, issuedAtFor, type JwtContent } from '../jwt/claims.ts';
import { secondsOf } from '../timestamps.ts';
import { tokenId } from './token-id.ts';
import { expirationFor } from './token-lifetime.ts';
import type { PermittedObservation } from './token-policies.ts';

/** What a declared Token's JWT says of its client and owner, as spec and client are now; no refusal may stand against it. */
const grantOf = ({ token, client }: PermittedObservation): ClaimsGrant => {
  const { metadata, spec } = token;
  const owner = client.spec.owner ?? '';
  return {
    clientID: client.spec.clientID ?? client.metadata.name,
    owner,
    subject: owner,
    audience: spec.audience ?? [],
    scope: grantedScope(client, spec.scope),
    name: spec.tokenName ?? metadata.name,
    token: `${metadata.namespace}/${metadata.name}`,
    extraClaims: client.spec.insertTokenClaims,
  };
};

/** The JWT of the next issuance, signed at `observation.now`. */
export const nextJwt = (observation: PermittedObservation): JwtContent => {
  const { token, settings, now } = observation;
  return buildJwt(settings, grantOf(observation), {
    id: tokenId(token.metadata.uid, (token.status?.issuance ?? 0) + 1),
    issuedAt: issuedAtFor(now, settings),
    expiresAt: expirationFor(observation),
  });
};

/**
 * The current issuance once more: same `jti`, `iat` and `exp`, the sets in the order in which they were issued; undefined where
 * there is none. Whether the other claims are the same too is for {@link matchesCurrent} to say.
 */
export const currentJwt = (observation: PermittedObservation): JwtContent | undefined => {
  const { token, settings } = observation;
  const { id, issuedAt, expiration, audience = [], scope = [] } = token.status ?? {};
  if (id === undefined || issuedAt === undefined) return undefined;
  return buildJwt(
    settings,
    { ...grantOf(observation), audience, scope },
    {
      id,
      issuedAt: secondsOf(issuedAt),
      expiresAt: expiration === undefined ? undefined : secondsOf(expiration),
    },
  );
};

/** Whether a JWT made now would say what the current one does, but for `iat`, `exp` and `jti`. */
export const matchesCurrent = (observation: PermittedObservation): boolean => {
  const { expiration, claimsDigest: digest } = observation.token.status ?? {};
  const expiresAt = expiration === undefined ? undefined : secondsOf(expiration);
  const wanted = buildJwt(observation.settings, grantOf(observation), { id: '', issuedAt: 0, expiresAt });
  return claimsDigest(wanted) === digest;
};
