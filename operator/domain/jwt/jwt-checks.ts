import type { OAuthClient } from '../../api/oauth-client.ts';
import { TOKEN_CLAIM } from '../../api/reserved-claims.ts';
import { claimOf, isRegistered } from '../client/client-id-claim.ts';
import type { FoundRecord, PreviousRecord } from '../record/token-record.ts';

/** Claims of a JWT that one of our keys has signed. */
export type SignedClaims = Readonly<Record<string, unknown>>;

/** Why a JWT of ours is bad; fixed words for log and metric, a stranger learns none of them. */
export type JwtFault =
  | 'NotOurs'
  | 'Expired'
  | 'Unknown'
  | 'RecordDisagrees'
  | 'ClientGone'
  | 'ClientSuspended'
  | 'Blacklisted';

/** Where the record of a JWT is to be found (spec §3: by one GET): in its Token, or in its client's namespace. */
export const declaredIn = (claims: SignedClaims): { namespace: string; name: string } | undefined => {
  const claim = claims[TOKEN_CLAIM];
  if (typeof claim !== 'string') return undefined;
  const [namespace = '', name = '', ...rest] = claim.split('/');
  return rest.length === 0 && namespace !== '' && name !== '' ? { namespace, name } : undefined;
};

/**
 * How far a replica's clock may be off the API server's, in seconds: beyond it the replica is not ready and neither issues nor
 * validates (spec §3, Clock).
 */
export const MAX_CLOCK_SKEW_SECONDS = 120;

/** Leeway of `nbf`, in seconds: the clocks of two ready replicas may be off by the maximum in opposite directions. */
export const NOT_BEFORE_LEEWAY_SECONDS = 2 * MAX_CLOCK_SKEW_SECONDS;

/**
 * Checks `exp` (RFC 7519 §4.1.4) without leeway, and `nbf` (§4.1.5) with {@link NOT_BEFORE_LEEWAY_SECONDS}, since another replica may
 * have set it by a clock that is ahead of this one. `now` in milliseconds.
 */
export const findTimeFault = ({ exp, nbf }: SignedClaims, now: number): JwtFault | undefined => {
  const seconds = now / 1000;
  if (exp !== undefined && !(typeof exp === 'number' && exp > seconds)) return 'Expired';
  if (nbf !== undefined && !(typeof nbf === 'number' && nbf - NOT_BEFORE_LEEWAY_SECONDS <= seconds))
    return 'Expired';
  return undefined;
};

const isSameOrigin = ({ origin }: FoundRecord, claims: SignedClaims): boolean => {
  const declared = declaredIn(claims);
  return origin.kind === 'Token'
    ? declared?.namespace === origin.namespace && declared.name === origin.name
    : claims[TOKEN_CLAIM] === undefined;
};

/**
 * An earlier JWT of a declared Token is good for the overlap, which may end before its own `exp` does; what it says of its
 * owner may be what has been changed since (spec §2.1, `renewal.overlap`).
 */
const agreesAsPrevious = ({ expiration }: PreviousRecord, { exp }: SignedClaims): boolean =>
  exp === undefined || (typeof exp === 'number' && expiration !== undefined && expiration <= exp);

/** Whether a record and a JWT say the same (spec §3). Of one whose record is still to be written, origin and key tell enough. */
const agrees = (
  record: FoundRecord,
  claims: SignedClaims,
  jwt: { kid: string; ownerClaim: string },
): boolean => {
  if (claims.jti !== record.id || !isSameOrigin(record, claims)) return false;
  if (record.state === 'Next') return true;
  if (record.keyID !== jwt.kid || claims.client_id !== record.clientID) return false;
  if (record.state === 'Previous') return agreesAsPrevious(record, claims);
  return claims[jwt.ownerClaim] === record.owner && claims.exp === record.expiration;
};

/** What the record says against a JWT whose signature and own times are good; blacklisting aside. `now` in milliseconds. */
export const findRecordFault = (
  record: FoundRecord,
  claims: SignedClaims,
  jwt: { readonly kid: string; readonly ownerClaim: string; readonly now: number },
): JwtFault | undefined => {
  if (!agrees(record, claims, jwt)) return 'RecordDisagrees';
  return record.expiration !== undefined && record.expiration <= jwt.now / 1000 ? 'Expired' : undefined;
};

/** What the client says against a JWT: it has to be there as the holder, with the UID that the record names, and not suspended. */
export const findClientFault = (
  client: OAuthClient | undefined,
  record: FoundRecord,
  claims: SignedClaims,
): JwtFault | undefined => {
  if (client === undefined || client.metadata.deletionTimestamp !== undefined) return 'ClientGone';
  const isOther = record.state !== 'Next' && client.metadata.uid !== record.clientUID;
  if (isOther || !isRegistered(client) || claimOf(client) !== claims.client_id) return 'ClientGone';
  return client.spec.suspended === true ? 'ClientSuspended' : undefined;
};
