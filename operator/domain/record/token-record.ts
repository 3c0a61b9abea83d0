import { secondsOf } from '../timestamps.ts';

/** Names of the indexes of the Token cache by which records are found. */
export const RECORD_INDEX = {
  /** By every `jti` that is the Token's: current, earlier ones, and the next, whose JWT may be out before status says so. */
  id: 'id',
  /** By the owner that the status names. */
  owner: 'owner',
} as const;

/** The kinds of resource that a record can come from. */
type RecordKind = 'Token' | 'IssuedToken' | 'TokenBatch';

/** The object that a record stands in. */
export interface RecordOrigin {
  readonly kind: RecordKind;
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
}

/**
 * One JWT as the API server knows it, whatever kind of resource it stands in: every door sees them alike (spec
 * §2.3). Times are seconds since the Unix epoch.
 */
export interface TokenRecord {
  /** The `jti`. */
  readonly id: string;
  readonly origin: RecordOrigin;
  /**
   * `Previous`: an earlier JWT of a declared Token that is still good. `Next`: one of a declared Token whose JWT may
   * be out before its status says so; only `id`, `origin`, `client` and `blacklistedAt` say anything of it, and no list shows it.
   */
  readonly state: 'Current' | 'Previous' | 'Next';
  readonly version: number;
  readonly name: string;
  readonly owner: string;
  readonly subject: string;
  readonly clientID: string;
  /** `<namespace>/<name>` of the OAuthClient. */
  readonly client: string;
  readonly clientUID: string;
  readonly keyID: string;
  readonly audience: readonly string[];
  readonly scope: readonly string[];
  readonly issuedAt: number;
  /** Undefined where it never expires. */
  readonly expiration: number | undefined;
  readonly originalTokenClaims: Readonly<Record<string, unknown>> | undefined;
  /** When it was blacklisted; 0 where only `spec.revoked` says so yet; undefined where it is not. */
  readonly blacklistedAt: number | undefined;
}

/** What of a record says for how long it is of use. */
export type RecordExpiry = Pick<TokenRecord, 'keyID' | 'expiration' | 'blacklistedAt'>;

/** Whether a record is neither blacklisted nor past its expiration; milliseconds since the Unix epoch. */
export const isLive = ({ expiration, blacklistedAt }: RecordExpiry, now: number): boolean =>
  blacklistedAt === undefined && (expiration === undefined || expiration * 1000 > now);

/** What an object with one record says of its end. */
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
 * `blacklistedAt` of such an object: 0 where only `spec.revoked` says so yet, and never where the status does, whatever time
 * somebody wrote there; undefined where it is not blacklisted.
 */
export const blacklistedAtOf = ({ spec, status }: Revocable): number | undefined => {
  const { flag, timestamp } = status?.blacklisted ?? {};
  if (flag === true) return timestamp === undefined ? 1 : Math.max(1, secondsOf(timestamp));
  return spec.revoked === true ? 0 : undefined;
};

/** Whether `spec.revoked` asks for a blacklisting that the status does not record yet. */
export const isRevocationRequested = ({ blacklistedAt }: Pick<TokenRecord, 'blacklistedAt'>): boolean =>
  blacklistedAt === 0;
