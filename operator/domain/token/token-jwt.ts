import type { TokenStatus } from '../../api/token.ts';
import { grantedScope } from '../client/client-allowances.ts';
import {
  buildJwt,
  type ClaimsGrant,
  claimsDigest,
  type IssuerSettings,
  issuedAtFor,
  type JwtContent,
} from '../jwt/claims.ts';
import { formatTime, secondsOf } from '../timestamps.ts';
import { currentExpiration, nextTokenId } from './declared-token.ts';
import { expirationFor } from './token-lifetime.ts';
import type { PermittedObservation } from './token-observation.ts';

/** What the JWT of a declared token says about its client and owner, by the present spec and client. */
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

/**
 * The JWT of the next issuance, as if signed at `observation.now`.
 * @throws RangeError if the client has no owner; a permitted Token's client has one
 */
export const nextJwt = (observation: PermittedObservation): JwtContent => {
  const { token, settings, now } = observation;
  return buildJwt(settings, grantOf(observation), {
    id: nextTokenId(token),
    issuedAt: issuedAtFor(now, settings),
    expiresAt: expirationFor(observation),
  });
};

/**
 * The JWT of the current issuance, to be signed again: same `jti`, `iat` and `exp`, audience and scope in the order in which they
 * were issued. Undefined if nothing was issued yet. The other claims are those of now; see {@link matchesCurrent}.
 */
export const currentJwt = (observation: PermittedObservation): JwtContent | undefined => {
  const { token, settings } = observation;
  const { id, issuedAt, audience = [], scope = [] } = token.status ?? {};
  if (id === undefined || issuedAt === undefined) return undefined;
  return buildJwt(
    settings,
    { ...grantOf(observation), audience, scope },
    { id, issuedAt: secondsOf(issuedAt), expiresAt: currentExpiration(token) },
  );
};

/** Whether a JWT issued now would have the claims of the current one, apart from `iat`, `exp` and `jti` (spec §2.1, Issuing). */
export const matchesCurrent = (observation: PermittedObservation): boolean => {
  const { token, settings } = observation;
  const times = { id: '', issuedAt: 0, expiresAt: currentExpiration(token) };
  return claimsDigest(buildJwt(settings, grantOf(observation), times)) === token.status?.claimsDigest;
};

/** The fields of a Token's status that the current JWT determines. */
type JwtStatus = Pick<
  TokenStatus,
  | 'id'
  | 'owner'
  | 'subject'
  | 'clientID'
  | 'clientUID'
  | 'keyID'
  | 'audience'
  | 'scope'
  | 'issuedAt'
  | 'expiration'
  | 'originalTokenClaims'
  | 'claimsDigest'
>;

const textOf = (claim: unknown): string => (typeof claim === 'string' ? claim : '');
const timeOf = (claim: unknown): string | undefined =>
  typeof claim === 'number' ? formatTime(claim) : undefined;
const isObject = (claim: unknown): claim is Record<string, unknown> =>
  typeof claim === 'object' && claim !== null && !Array.isArray(claim);
const textsOf = (claim: unknown): string[] =>
  Array.isArray(claim) ? claim.filter((item) => typeof item === 'string') : [];

/** An object without its undefined members. */
export const omitUndefined = <T extends object>(value: { [K in keyof T]: T[K] | undefined }): T =>
  Object.fromEntries(Object.entries(value).filter(([, member]) => member !== undefined)) as T;

/** The status fields for a JWT, read from its claims alone, so that an adopted JWT gives the same as one that was just signed. */
export const statusOfJwt = (
  jwt: JwtContent,
  signed: { readonly kid: string; readonly clientUID: string; readonly settings: IssuerSettings },
): JwtStatus => {
  const { claims } = jwt;
  const audience = textsOf(claims.aud);
  const scope = textOf(claims.scope).split(' ').filter(Boolean);
  return omitUndefined<JwtStatus>({
    id: textOf(claims.jti),
    owner: textOf(claims[signed.settings.ownerClaim]),
    subject: textOf(claims.sub),
    clientID: textOf(claims.client_id),
    clientUID: signed.clientUID,
    keyID: signed.kid,
    audience: audience.length > 0 ? audience : undefined,
    scope: scope.length > 0 ? scope : undefined,
    issuedAt: timeOf(claims.iat),
    expiration: timeOf(claims.exp),
    originalTokenClaims: isObject(claims.originalTokenClaims) ? claims.originalTokenClaims : undefined,
    claimsDigest: claimsDigest(jwt),
  });
};
