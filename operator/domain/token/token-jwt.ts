import { createHash } from 'node:crypto';
import { durationMs, floorSeconds, formatTime, secondsOf } from '../../api/time.ts';
import type { TokenSpec, TokenStatus } from '../../api/token.ts';
import { clientMaximum, grantedScope } from '../client/client-rules.ts';
import {
  buildJwt,
  type ClaimsGrant,
  claimsDigest,
  type IssuerSettings,
  issuedAtFor,
  type JwtContent,
} from '../jwt/claims.ts';
import { currentExpiration, nextTokenId } from './declared-token.ts';
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

/** `exp` of a JWT that is signed now for a Token without violation, in seconds since the Unix epoch; undefined if it never expires. */
const expirationFor = ({ token, client, now }: PermittedObservation): number | undefined => {
  const { expiration, lifetime } = token.spec;
  if (expiration !== undefined) return secondsOf(expiration);
  const seconds = lifetime === undefined ? clientMaximum(client) : floorSeconds(durationMs(lifetime));
  return seconds === undefined ? undefined : floorSeconds(now) + seconds;
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

/** When the current JWT was signed, in seconds since the Unix epoch: its `iat` plus the configured backdate. Undefined if there is none. */
export const signedAtOf = (status: TokenStatus | undefined, settings: IssuerSettings): number | undefined =>
  status?.issuedAt === undefined
    ? undefined
    : secondsOf(status.issuedAt) + Math.ceil(settings.backdateMs / 1000);

/** The shortest time between signing a JWT and its renewal, in seconds (spec §2.1). */
const SHORTEST_RENEWAL_SECONDS = 30;

/** The renewal policy of a Token (spec §2.1): always `Never` with `spec.expiration`, which a renewal could not move. */
export const renewalPolicy = ({ expiration, renewal }: TokenSpec): 'Auto' | 'Never' =>
  expiration !== undefined ? 'Never' : (renewal?.policy ?? 'Auto');

/** What a renewal time depends on; times in seconds since the Unix epoch. */
export interface RenewalInput {
  /** `metadata.uid`, from which the jitter is derived. */
  readonly uid: string;
  readonly spec: TokenSpec;
  /** When the JWT was signed: its `iat` plus the backdate. */
  readonly signedAt: number;
  readonly expiresAt: number | undefined;
}

/** A number in [0, 1) that is the same for a Token on every replica and at any time. */
const jitterOf = (uid: string): number =>
  createHash('sha256').update(`renewal ${uid}`).digest().readUInt32BE(0) / 2 ** 32;

/**
 * When a JWT is due for renewal, in whole seconds since the Unix epoch (spec §2.1): signedAt + max(lifetime − renewBefore,
 * lifetime/2), less a jitter of at most lifetime/10; at least 30 s after signing, and at the latest at its expiry. The lifetime is
 * that of the JWT, or `spec.lifetime` if that has become shorter. Undefined if the JWT is not renewed.
 */
export const renewalTimeOf = ({ uid, spec, signedAt, expiresAt }: RenewalInput): number | undefined => {
  if (renewalPolicy(spec) === 'Never' || expiresAt === undefined) return undefined;
  const requested = spec.lifetime === undefined ? Number.POSITIVE_INFINITY : durationMs(spec.lifetime) / 1000;
  const lifetime = Math.max(0, Math.min(expiresAt - signedAt, requested));
  const before =
    spec.renewal?.renewBefore === undefined ? lifetime / 3 : durationMs(spec.renewal.renewBefore) / 1000;
  const base = Math.max(lifetime - before, lifetime / 2) - (jitterOf(uid) * lifetime) / 10;
  return Math.min(expiresAt, signedAt + Math.ceil(Math.max(base, SHORTEST_RENEWAL_SECONDS)));
};
