import type { OAuthClient } from '../api/oauth-client.ts';
import type { Awaitable } from '../async/map-awaitable.ts';
import type { TokenRequest } from '../domain/client/token-request.ts';
import type { TokenRecord } from '../domain/record/token-record.ts';

/** What every use case gets besides its request. */
export interface Call {
  /** The caller's IP address, without port. Failed authentications are limited by it, and requests of one address take turns with those of others. */
  readonly address: string;
  /** Aborts when the caller disconnects or its deadline passes. */
  readonly signal: AbortSignal;
}

/** What authenticates a client (RFC 6749 §2.3, RFC 7521 §4.2); '' for an absent part. */
export type ClientCredentials = Pick<
  TokenRequest,
  'clientID' | 'clientSecret' | 'alternatives' | 'assertionType' | 'assertion'
>;

/** An assertion that may be used for one token only. */
export interface OneTimeAssertion {
  /** Its `jti`. */
  readonly id: string;
  /** No use can have been earlier, by its claims; seconds since the Unix epoch. */
  readonly earliestUse: number;
}

/** An authenticated client, with what its assertion says. */
export interface AuthenticatedClient {
  readonly client: OAuthClient;
  readonly method: 'clientSecret' | 'privateKeyJWT' | 'trustedIssuer' | 'serviceAccount';
  /** The owner, from the assertion of a trusted issuer. */
  readonly owner?: string | undefined;
  /** The subject, from the assertion of a trusted issuer or a ServiceAccount. */
  readonly subject?: string | undefined;
  /** The value of the device-ID claim, from the assertion of a trusted issuer. */
  readonly deviceID?: string | undefined;
  readonly originalTokenClaims?: Readonly<Record<string, unknown>> | undefined;
  /** The client's own assertion, which may be used for one token only. */
  readonly assertion?: OneTimeAssertion | undefined;
}

/** Authenticates a client. @throws IssuerFailure `Refused` with `invalid_client` (one text for every cause, another beyond the limit of failures) or `Unavailable` */
export type AuthenticateClient = (
  credentials: ClientCredentials,
  call: Call,
) => Awaitable<AuthenticatedClient>;

/** An issued token, which is recorded. */
export interface IssuedAccessToken {
  /** The `jti`, for the log. */
  readonly id: string;
  readonly clientID: string;
  readonly accessToken: string;
  /** The remaining time in whole seconds, at least 1; 0 if the token never expires. */
  readonly expiresInSeconds: number;
  readonly scope: readonly string[];
}

/** Issues a token: authenticates the client, checks what it may have, records and signs. @throws IssuerFailure */
export type CreateToken = (request: TokenRequest, call: Call) => Promise<IssuedAccessToken>;

/** What a bearer may see and revoke. */
export interface Bearer {
  /** The owner of the tokens that it may see and revoke. */
  readonly owner: string;
  /** The bearer's own `jti` if it may see and revoke itself alone: by the configuration (`access: Self`), or because it is for others than this issuer (spec §4, Bearers). */
  readonly onlyID: string | undefined;
  /** `<namespace>/<name>` of the client to which the token was issued; undefined for bearers of external issuers. */
  readonly client: string | undefined;
}

/** Validates the value of an Authorization header (RFC 6750 §2.1). @throws IssuerFailure `BearerInvalid`, `OwnerMissing` or `Unavailable` */
export type AuthenticateBearer = (authorization: string | undefined, call: Call) => Promise<Bearer>;

/** Selects tokens of an owner; an empty `ids` selects all. */
export interface TokenQuery {
  readonly ids: readonly string[];
  readonly includeBlacklisted: boolean;
}

/** Lists the selected tokens that the bearer may see, in the order of their ids, in chunks that are read on demand. @throws IssuerFailure */
export type ListTokens = (
  bearer: Bearer,
  query: TokenQuery,
  call: Call,
) => AsyncIterable<readonly TokenRecord[]>;

/** Numbers of tokens; each token is counted at most once. */
export interface DeletedTokens {
  readonly blacklisted: number;
  readonly deleted: number;
}

/** Blacklists live tokens and deletes expired ones (spec §4). @throws IssuerFailure */
export type DeleteTokens = (bearer: Bearer, ids: readonly string[], call: Call) => Promise<DeletedTokens>;

/** A bearer, and the record of the token that it is. */
export interface BearerSelf {
  /** Undefined if the bearer is blacklisted and otherwise valid: it may look up itself and nothing else (spec §5, existing verifiers). */
  readonly bearer: Bearer | undefined;
  /** Undefined for bearers of external issuers. */
  readonly own: TokenRecord | undefined;
}

/** Validates a bearer that may look up itself (spec §5, existing verifiers). @throws IssuerFailure as {@link AuthenticateBearer} does */
export type AuthenticateSelf = (authorization: string | undefined, call: Call) => Awaitable<BearerSelf>;

/** The claims of a valid token that the caller may know about (RFC 7662 §2.2), without `originalTokenClaims`; undefined for every other token. @throws IssuerFailure */
export type IntrospectToken = (
  token: string,
  credentials: ClientCredentials,
  call: Call,
) => Awaitable<Readonly<Record<string, unknown>> | undefined>;

/** The outcome of a revocation, for the log: the caller learns none of it (RFC 7009 §2.2). */
interface RevokedToken {
  /** The client ID of the caller. */
  readonly clientID: string;
  /** The `jti` if this call revoked the token. */
  readonly id: string | undefined;
}

/** Revokes a valid token of the calling client; every other token is ignored. @throws IssuerFailure */
export type RevokeToken = (
  token: string,
  credentials: ClientCredentials,
  call: Call,
) => Promise<RevokedToken>;

/** The use cases behind the endpoints. */
export interface Issuer {
  readonly authenticateBearer: AuthenticateBearer;
  readonly authenticateSelf: AuthenticateSelf;
  readonly createToken: CreateToken;
  readonly listTokens: ListTokens;
  readonly deleteTokens: DeleteTokens;
  readonly introspectToken: IntrospectToken;
  readonly revokeToken: RevokeToken;
}
