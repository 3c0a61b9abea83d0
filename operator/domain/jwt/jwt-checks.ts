import type { OAuthClient } from '../../api/oauth-client.ts';
import { TOKEN_CLAIM } from '../../api/reserved-claims.ts';
import { isRegistered, requestedClientID } from '../client/client-rules.ts';
import type { FoundRecord, PreviousRecord } from '../record/token-record.ts';
import { MAX_CLOCK_SKEW_SECONDS, type SignedClaims } from './claims.ts';

/** Why a JWT of this issuer is invalid; for the log and metrics only. */
export type JwtFault =
  | 'NotOurs'
  | 'Expired'
  | 'Unknown'
  | 'RecordDisagrees'
  | 'ClientGone'
  | 'ClientSuspended'
  | 'Blacklisted';

/** The Token of a declared token, by the claims of its JWT; undefined for an issued token. */
export const declaredIn = (claims: SignedClaims): { namespace: string; name: string } | undefined => {
  const claim = claims[TOKEN_CLAIM];
  if (typeof claim !== 'string') return undefined;
  const [namespace = '', name = '', ...rest] = claim.split('/');
  return rest.length === 0 && namespace !== '' && name !== '' ? { namespace, name } : undefined;
};

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
 * A previous JWT of a Token is valid for the overlap, which may end before its own `exp`; its owner may be one that has changed since
 * (spec §2.1, `renewal.overlap`).
 */
const agreesAsPrevious = ({ expiration }: PreviousRecord, { exp }: SignedClaims): boolean =>
  exp === undefined || (typeof exp === 'number' && expiration !== undefined && expiration <= exp);

/** Whether a record agrees with a JWT (spec §3, step 4). Of the next JWT of a Token only the origin is recorded. */
const agrees = (
  record: FoundRecord,
  claims: SignedClaims,
  jwt: { kid: string; ownerClaim: string },
): boolean => {
  if (claims.jti !== record.id || !isSameOrigin(record, claims)) return false;
  if (record.state === 'Next') return true;
  if (record.keyID !== jwt.kid || claims.client_id !== record.clientID) return false;
  if (record.state === 'Previous') return agreesAsPrevious(record, claims);
  return (
    claims[jwt.ownerClaim] === record.owner &&
    claims.iat === record.issuedAt &&
    claims.exp === record.expiration
  );
};

/** What the record says against a JWT, blacklisting aside (spec §3, step 4). `now` in milliseconds. */
export const findRecordFault = (
  record: FoundRecord,
  claims: SignedClaims,
  jwt: { readonly kid: string; readonly ownerClaim: string; readonly now: number },
): JwtFault | undefined => {
  if (!agrees(record, claims, jwt)) return 'RecordDisagrees';
  return record.expiration !== undefined && record.expiration <= jwt.now / 1000 ? 'Expired' : undefined;
};

/** What the client says against a JWT (spec §3, step 5): it must be the registered client, with the UID in the record, and not be suspended. */
export const findClientFault = (
  client: OAuthClient | undefined,
  record: FoundRecord,
  claims: SignedClaims,
): JwtFault | undefined => {
  if (client === undefined || client.metadata.deletionTimestamp !== undefined) return 'ClientGone';
  const isOther = client.metadata.uid !== record.clientUID;
  if (isOther || !isRegistered(client) || requestedClientID(client) !== claims.client_id) return 'ClientGone';
  return client.spec.suspended === true ? 'ClientSuspended' : undefined;
};
