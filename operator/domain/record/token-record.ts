import type { ObjectMeta } from '../../api/meta.ts';
import { secondsOf } from '../../api/time.ts';
import { MAX_CLOCK_SKEW_SECONDS } from '../jwt/claims.ts';

/** Names of the indexes of the Token cache by which records are found. */
export const RECORD_INDEX = {
  /** By every `jti` of the Token: current, previous, and next, whose JWT may be delivered before the status names it. */
  id: 'id',
  /** By the owner in the status. */
  owner: 'owner',
} as const;

/** What caches hold of an object with one or more records of issued tokens, whatever its kind. */
export interface RecordObject {
  readonly metadata: ObjectMeta;
  /** `<namespace>/<name>` of the OAuthClient. */
  readonly client: string;
  readonly clientUID: string;
}

/** Names of the indexes that the caches of such objects have in common. */
export const RECORD_OBJECT_INDEX = {
  owner: 'owner',
  /** By `<namespace>/<name>` of the OAuthClient. */
  client: 'client',
  /** By the kid of each key that signed a JWT of it. */
  kid: 'kid',
  /** By {@link RESTORED}, if a record of it was created again. */
  restored: 'restored',
} as const;

/** The values under which an object with records that were created again is found. */
export const RESTORED: readonly string[] = ['restored'];

/** The kinds of resource that hold records. */
type RecordKind = 'Token' | 'IssuedToken' | 'TokenBatch';

/** The object that holds a record. */
export interface RecordOrigin {
  readonly kind: RecordKind;
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
}

interface RecordIdentity {
  /** The `jti`. */
  readonly id: string;
  readonly origin: RecordOrigin;
  /** `<namespace>/<name>` of the OAuthClient. */
  readonly client: string;
  readonly version: number;
  /** The token's name for people. */
  readonly name: string;
  /** When it was blacklisted; 0 if only `spec.revoked` says so yet; undefined if it is not. */
  readonly blacklistedAt: number | undefined;
}

interface RecordedJwt extends RecordIdentity {
  readonly subject: string;
  readonly clientID: string;
  readonly clientUID: string;
  readonly keyID: string;
  readonly audience: readonly string[];
  readonly scope: readonly string[];
  readonly issuedAt: number;
  /** Undefined if it never expires. */
  readonly expiration: number | undefined;
  readonly originalTokenClaims: Readonly<Record<string, unknown>> | undefined;
}

/** The record of an issued token, or of the current JWT of a declared token. */
export interface CurrentRecord extends RecordedJwt {
  readonly state: 'Current';
  /** The owner claim of the JWT. */
  readonly owner: string;
}

/** The record of a previous JWT of a declared token that is still valid. */
export interface PreviousRecord extends RecordedJwt {
  readonly state: 'Previous';
  /** The Token's owner by its status: the JWT itself may name another one. */
  readonly tokenOwner: string;
}

/** The next JWT of a declared token: it may be delivered before the status records what it says. No list shows it. */
export interface NextRecord extends RecordIdentity {
  readonly state: 'Next';
  /** The Token's owner by its status, or the owner of its client; undefined if neither is known. */
  readonly tokenOwner: string | undefined;
  /** The UID of the client of the current JWT; the next one may be for a client that was created again under the same name. */
  readonly clientUID: string | undefined;
  /** The name of the Secret in which it is delivered, whose annotations name its client. */
  readonly secretName: string;
  /** Only the JWT says when it expires. */
  readonly expiration: undefined;
}

/**
 * The record of one JWT, the same for every endpoint whatever kind of resource holds it (spec §2.3). Times are seconds since
 * the Unix epoch.
 */
export type TokenRecord = CurrentRecord | PreviousRecord;

/** What a `jti` leads to. */
export type FoundRecord = TokenRecord | NextRecord;

/** The owner that may list and revoke the token; undefined if none is known yet. */
export function ownerOf(record: TokenRecord): string;
export function ownerOf(record: FoundRecord): string | undefined;
export function ownerOf(record: FoundRecord): string | undefined {
  return record.state === 'Current' ? record.owner : record.tokenOwner;
}

/** The part of a record that says until when it is of use. */
export interface RecordExpiry extends Pick<TokenRecord, 'keyID' | 'expiration' | 'blacklistedAt'> {
  /** Whether it was created again, so that no endpoint knows its token (spec §2.2). Absent: no. */
  readonly isRestored?: boolean;
}

/** The largest `issuer.backdate` (spec §6), in seconds. */
export const MAX_BACKDATE_SECONDS = 600;

/** How much later than `issuedAt` the API server may date a record: the largest backdate, and the clocks of two ready replicas. */
const MAX_RECORD_DELAY_SECONDS = MAX_BACKDATE_SECONDS + 2 * MAX_CLOCK_SKEW_SECONDS;

/**
 * Whether a record was created so long after its token was issued that another writer created it again, from a backup for instance: it
 * lacks the revocations since, or may itself have been deleted to revoke the token (spec §2.2). Seconds since the Unix epoch.
 */
export const isRestored = (issuedAt: number, createdAt: number): boolean =>
  createdAt - issuedAt > MAX_RECORD_DELAY_SECONDS;

/** Whether a token is neither expired nor blacklisted; `now` in milliseconds since the Unix epoch. */
export const isLive = ({ expiration, blacklistedAt }: RecordExpiry, now: number): boolean =>
  blacklistedAt === undefined && (expiration === undefined || expiration * 1000 > now);

/** The part of an object with one record that says whether it is blacklisted. */
interface Revocable {
  readonly spec: { readonly revoked?: boolean | undefined };
  readonly status?:
    | {
        readonly blacklisted?:
          | { readonly flag?: boolean | undefined; readonly timestamp?: string | undefined }
          | undefined;
      }
    | undefined;
}

/**
 * `blacklistedAt` of such an object: 0 if only `spec.revoked` says so yet, and at least 1 if the status does, whatever time it
 * has; undefined if it is not blacklisted.
 */
export const blacklistedAtOf = ({ spec, status }: Revocable): number | undefined => {
  const { flag, timestamp } = status?.blacklisted ?? {};
  if (flag === true) return timestamp === undefined ? 1 : Math.max(1, secondsOf(timestamp));
  return spec.revoked === true ? 0 : undefined;
};

/** Whether `spec.revoked` requests a blacklisting that the status does not record yet. */
export const isRevocationRequested = ({ blacklistedAt }: Pick<TokenRecord, 'blacklistedAt'>): boolean =>
  blacklistedAt === 0;
