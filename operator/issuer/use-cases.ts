import type { OAuthClient } from '../api/oauth-client.ts';
import type { Awaitable } from '../async/map-awaitable.ts';
import type { TokenRecord } from '../domain/record/token-record.ts';

/** What every call at a door brings besides its request. */
export interface Call {
  /** The caller's IP address without port; what failed attempts are limited by. */
  readonly address: string;
  /** Aborts when the caller is gone or its deadline has passed. */
  readonly signal: AbortSignal;
}

/** How a caller proves to be a client (RFC 6749 §2.3, RFC 7521 §4.2); '' where a part is absent. */
export interface ClientCredentials {
  readonly clientID: string;
  readonly clientSecret: string;
  readonly assertionType: string;
  readonly assertion: string;
}

/** A client that has proved itself. */
export interface AuthenticatedClient {
  readonly client: OAuthClient;
  readonly method: 'clientSecret' | 'privateKeyJWT' | 'trustedIssuer' | 'serviceAccount';
  /** From the assertion of a trusted issuer (owner and subject) or a ServiceAccount (subject alone). */
  readonly owner?: string | undefined;
  readonly subject?: string | undefined;
  readonly originalTokenClaims?: Readonly<Record<string, unknown>> | undefined;
  /** The `jti` of the client's own assertion: it may be used for one token only. */
  readonly assertionID?: string | undefined;
}

/** Finds out which client is calling. @throws IssuerFailure `Refused` with `invalid_client` (one text for every cause, another beyond the limit of failures) or `Unavailable` */
export type AuthenticateClient = (
  credentials: ClientCredentials,
  call: Call,
) => Awaitable<AuthenticatedClient>;

/** What a token is asked for with. */
export interface TokenRequest extends ClientCredentials {
  readonly grantType: string;
  readonly audience: readonly string[];
  readonly scope: readonly string[];
  /** Seconds since the Unix epoch; 0 or less = not asked for. */
  readonly expiration: number;
  /** '' = none. */
  readonly tokenName: string;
}

/** A token that is recorded, and may leave. */
export interface IssuedAccessToken {
  /** The `jti`, for the log. */
  readonly id: string;
  readonly clientID: string;
  readonly accessToken: string;
  /** What is left in whole seconds, at least 1; 0 where it never expires. */
  readonly expiresInSeconds: number;
  readonly scope: readonly string[];
}

/** Hands out a token: authenticate → authorise → record and sign. @throws IssuerFailure */
export type CreateToken = (request: TokenRequest, call: Call) => Promise<IssuedAccessToken>;

/** Whose tokens a bearer may see and revoke. */
export interface Bearer {
  readonly owner: string;
  /** The bearer's own `jti`, where the configuration allows it nothing else (`access: Self`). */
  readonly onlyID: string | undefined;
  /** `<namespace>/<name>` of the client that a token of ours was issued to; undefined for other issuers' bearers. */
  readonly client: string | undefined;
}

/** Validators the value of an Authorization header (RFC 6750 §2.1). @throws IssuerFailure `BearerInvalid`, `OwnerMissing` or `Unavailable` */
export type AuthenticateBearer = (
  authorization: string | undefined,
  call: Pick<Call, 'signal'>,
) => Promise<Bearer>;

/** Which tokens; an empty `ids` is all of the owner's. */
export interface TokenQuery {
  readonly ids: readonly string[];
  readonly includeBlacklisted: boolean;
}

/** The bearer's tokens that a query is about, in the order of their ids, a few at a time as they are asked for. @throws IssuerFailure */
export type ListTokens = (
  bearer: Bearer,
  query: TokenQuery,
  call: Pick<Call, 'signal'>,
) => AsyncIterable<readonly TokenRecord[]>;

/** What became of them; a token counts for at most one. */
export interface DeletedTokens {
  readonly blacklisted: number;
  readonly deleted: number;
}

/** Blacklists live tokens and deletes expired ones (spec §4). @throws IssuerFailure */
export type DeleteTokens = (
  bearer: Bearer,
  ids: readonly string[],
  call: Pick<Call, 'signal'>,
) => Promise<DeletedTokens>;

/** Who brings a bearer: whose tokens it may see, and the token of ours that the bearer is. */
export interface BearerSelf {
  /** Undefined where the bearer is blacklisted and otherwise good: it may be told that of itself, and nothing else. */
  readonly bearer: Bearer | undefined;
  /** Undefined for other issuers' bearers. */
  readonly own: TokenRecord | undefined;
}

/** Validators a bearer that may want to know about itself (spec §5, existing verifiers). @throws IssuerFailure as {@link AuthenticateBearer} does */
export type AuthenticateSelf = (
  authorization: string | undefined,
  call: Pick<Call, 'signal'>,
) => Awaitable<BearerSelf>;

/** The claims of a token that is good and that the caller may know of (RFC 7662 §2.2), without `originalTokenClaims`; undefined for every other. @throws IssuerFailure */
export type IntrospectToken = (
  token: string,
  credentials: ClientCredentials,
  call: Call,
) => Awaitable<Readonly<Record<string, unknown>> | undefined>;

/** What a revocation came to; the caller learns none of it (RFC 7009 §2.2). */
interface RevokedToken {
  /** The calling client, by its client ID. */
  readonly clientID: string;
  /** The `jti` where this call revoked it. */
  readonly id: string | undefined;
}

/** Revokes a token of the calling client, for ever; others are passed over. @throws IssuerFailure */
export type RevokeToken = (
  token: string,
  credentials: ClientCredentials,
  call: Call,
) => Promise<RevokedToken>;

/** The use cases behind every door. */
export interface Issuer {
  readonly authenticateClient: AuthenticateClient;
  readonly authenticateBearer: AuthenticateBearer;
  readonly authenticateSelf: AuthenticateSelf;
  readonly createToken: CreateToken;
  readonly listTokens: ListTokens;
  readonly deleteTokens: DeleteTokens;
  readonly introspectToken: IntrospectToken;
  readonly revokeToken: RevokeToken;
}
