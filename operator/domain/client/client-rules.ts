import { findCondition } from '../../api/meta.ts';
import type { OAuthClient, OAuthClientSpec } from '../../api/oauth-client.ts';
import { durationMs, floorSeconds } from '../../api/time.ts';
import { findReservedClaims, type IssuerSettings, type SignedClaims } from '../jwt/claims.ts';
import { findInexactNumber, LARGEST_EXACT } from '../jwt/inexact-number.ts';
import type { FoundRecord } from '../record/token-record.ts';
import { isSameIssuer } from './issuer-identity.ts';

/** The only grant of this issuer (RFC 6749 §4.4). */
export const CLIENT_CREDENTIALS = 'client_credentials';

/** The most bytes of JSON that `spec.insertTokenClaims` may have (spec §2.4). */
const MAX_INSERTED_BYTES = 4096;

/** At most 5 values, quoted, for a message: it has to stay readable, and short enough for a condition. */
export const quote = (values: readonly string[]): string => {
  const shown = values.slice(0, 5).map((value) => JSON.stringify(value));
  return values.length > 5 ? `${shown.join(', ')} and ${values.length - 5} more` : shown.join(', ');
};

/** Whether the client may have tokens at all (spec §2.4, `allowedGrantTypes`). */
const hasGrant = ({ spec }: OAuthClient): boolean =>
  (spec.allowedGrantTypes ?? [CLIENT_CREDENTIALS]).includes(CLIENT_CREDENTIALS);

const missingIn = (allowed: readonly string[] | undefined, requested: readonly string[]): string[] =>
  requested.filter((value) => !allowed?.includes(value));

/** The requested audiences that the client does not allow. */
const disallowedAudiences = ({ spec }: OAuthClient, requested: readonly string[]): string[] =>
  missingIn(spec.allowedAudiences, requested);

/** Whether no audience is requested of a client that requires one: it allows some. */
const isAudienceMissing = ({ spec }: OAuthClient, requested: readonly string[]): boolean =>
  requested.length === 0 && (spec.allowedAudiences?.length ?? 0) > 0;

/** The requested scopes that the client does not allow. */
const disallowedScopes = ({ spec }: OAuthClient, requested: readonly string[]): string[] =>
  missingIn(spec.allowedScopes, requested);

/** The scopes of a token: the requested ones, or all that the client allows if none is requested. */
export const grantedScope = (
  { spec }: OAuthClient,
  requested: readonly string[] | undefined,
): readonly string[] => (requested && requested.length > 0 ? requested : (spec.allowedScopes ?? []));

/** The client's longest lifetime in whole seconds; undefined if it is unbounded (`0s`, spec §2.4). */
export const clientMaximum = ({ spec }: OAuthClient): number | undefined => {
  const ms = durationMs(spec.accessTokenLifetime ?? '1h');
  return ms === 0 ? undefined : floorSeconds(ms);
};

/**
 * What is wrong with `spec.insertTokenClaims` under this configuration, as the end of a message. The schema of the CRD knows neither the
 * configured claim names nor the size of JSON and its numbers.
 */
export const findInsertedClaimsProblem = (
  { insertTokenClaims }: Pick<OAuthClientSpec, 'insertTokenClaims'>,
  settings: IssuerSettings,
): string | undefined => {
  if (insertTokenClaims === undefined) return undefined;
  const reserved = findReservedClaims(insertTokenClaims, settings);
  if (reserved.length > 0) {
    const shown = reserved.slice(0, 5).map((name) => JSON.stringify(name.slice(0, 64)));
    return `spec.insertTokenClaims may not set ${shown.join(', ')}`;
  }
  const bytes = Buffer.byteLength(JSON.stringify(insertTokenClaims));
  if (bytes > MAX_INSERTED_BYTES) {
    return `spec.insertTokenClaims has ${bytes} bytes as JSON, at most ${MAX_INSERTED_BYTES} are allowed`;
  }
  const inexact = findInexactNumber(insertTokenClaims);
  if (inexact === undefined) return undefined;
  return `spec.insertTokenClaims has a number beyond ${LARGEST_EXACT} at ${inexact}, which can not be signed exactly: make it a string`;
};

/** Whether a token was issued to this client: by client ID, and by UID, since a client that was created again is another one. */
export const isOwnToken = (caller: OAuthClient, record: FoundRecord, claims: SignedClaims): boolean => {
  if (claims.client_id !== requestedClientID(caller)) return false;
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

/** Name of the index of the OAuthClient cache by {@link requestedClientID}. */
export const CLIENT_ID_INDEX = 'claim';

/** The client ID that an OAuthClient asks for: its own name unless the spec says otherwise. */
export const requestedClientID = ({ spec, metadata }: OAuthClient): string => spec.clientID ?? metadata.name;

/** Whether the status registers it with the client ID that it asks for. */
export const isRegistered = (client: OAuthClient): boolean =>
  client.status?.clientID === requestedClientID(client);

const path = ({ metadata }: OAuthClient): string => `${metadata.namespace}/${metadata.name}`;

/** Older first; of equal times (in seconds) the path decides, so that all replicas agree. */
export const bySeniority = (a: OAuthClient, b: OAuthClient): number => {
  const [earlier, later] = [a.metadata.creationTimestamp, b.metadata.creationTimestamp];
  if (earlier !== later) return earlier < later ? -1 : 1;
  return path(a) < path(b) ? -1 : 1;
};

/** The URLs of one issuer: the one with which it signs, and those that it had before. */
export type IssuerUrls = Pick<IssuerSettings, 'url' | 'previousURLs'>;

/** Whether a URL is the issuer's, now or before. URLs are compared as texts. */
export const isIssuerUrl = ({ url, previousURLs = [] }: IssuerUrls, other: unknown): boolean =>
  other === url || previousURLs.some((previous) => previous === other);

/** Whether a URL names this issuer, however it is written: for what must not be trusted, where likeness is enough. */
export const isThisIssuer = ({ url, previousURLs = [] }: IssuerUrls, other: string): boolean =>
  isSameIssuer(other, url) || previousURLs.some((previous) => isSameIssuer(other, previous));

/**
 * Whether it lost its client ID to another client of this issuer. It stays so until it is created again (spec §2.4): no client takes over
 * an ID unnoticed. What it lost at another issuer, before it moved, does not count.
 */
export const isInConflict = (urls: IssuerUrls, { status }: OAuthClient): boolean =>
  findCondition(status?.conditions, 'Ready')?.reason === 'ClientIDConflict' &&
  (status?.issuer === undefined || isIssuerUrl(urls, status.issuer));

/** The issuer to which a client belongs (spec §2.4): the one that its spec chooses, else the one that registered it; undefined if neither is known yet. */
export const issuerOf = ({ spec, status }: OAuthClient): string | undefined => spec.issuer ?? status?.issuer;

/** Whether a client belongs to another issuer, so that this one leaves it, its Tokens and its records alone. */
export const isOfAnotherIssuer = (urls: IssuerUrls, client: OAuthClient): boolean => {
  const issuer = issuerOf(client);
  return issuer !== undefined && !isIssuerUrl(urls, issuer);
};

/** Whether several installations could take a client and none has: `spec.issuer` has to say which. */
export const isUndecided = ({ status }: OAuthClient): boolean =>
  findCondition(status?.conditions, 'Ready')?.reason === 'IssuerUndecided';

/** What a token is requested with, and of which client: the same for declared and issued tokens. */
export interface ClientCheckInput {
  readonly client: OAuthClient;
  /** The owner of the token. */
  readonly owner: string | undefined;
  readonly audience: readonly string[];
  readonly scope: readonly string[];
  readonly settings: IssuerSettings;
}

/** Why a client may not have a token, without words: conditions and OAuth errors say it in their own. */
export type ClientViolation =
  | { readonly kind: 'NoGrant' | 'Suspended' | 'NoOwner' | 'AudienceMissing' }
  | { readonly kind: 'ClaimsInvalid'; readonly problem: string }
  | { readonly kind: 'AudienceNotAllowed' | 'ScopeNotAllowed'; readonly values: readonly string[] };

type ClientCheck = (input: ClientCheckInput) => ClientViolation | undefined;

export const ClientWithoutGrant: ClientCheck = ({ client }) =>
  hasGrant(client) ? undefined : { kind: 'NoGrant' };

export const ClientSuspended: ClientCheck = ({ client }) =>
  client.spec.suspended === true ? { kind: 'Suspended' } : undefined;

export const ClientClaimsInvalid: ClientCheck = ({ client, settings }) => {
  const problem = findInsertedClaimsProblem(client.spec, settings);
  return problem === undefined ? undefined : { kind: 'ClaimsInvalid', problem };
};

export const ClientWithoutOwner: ClientCheck = ({ owner }) => (owner ? undefined : { kind: 'NoOwner' });

export const AudienceNotAllowed: ClientCheck = ({ client, audience }) => {
  const values = disallowedAudiences(client, audience);
  if (values.length > 0) return { kind: 'AudienceNotAllowed', values };
  return isAudienceMissing(client, audience) ? { kind: 'AudienceMissing' } : undefined;
};

export const ScopeNotAllowed: ClientCheck = ({ client, scope }) => {
  const values = disallowedScopes(client, scope);
  return values.length === 0 ? undefined : { kind: 'ScopeNotAllowed', values };
};

/** The first violation by the checks in their order, which differs between conditions (spec §2.1) and requests (spec §4). */
export const findClientViolation = (
  checks: readonly ClientCheck[],
  input: ClientCheckInput,
): ClientViolation | undefined => {
  for (const check of checks) {
    const violation = check(input);
    if (violation) return violation;
  }
  return undefined;
};

/** The limits of clients that state none of their own (spec §6, `limits.perClient`); 0: no limit, and for `burst` the rate's own. */
export interface DefaultLimits {
  readonly tokensPerSecond: number;
  readonly burst: number;
  readonly activeTokens: number;
}

/** How many issued tokens a client may get (spec §2.4). */
export interface ClientLimits {
  /** Over all replicas; undefined: no limit. */
  readonly rate: { readonly tokensPerSecond: number; readonly burst: number } | undefined;
  /** Tokens that are neither expired nor blacklisted; undefined: no limit. */
  readonly activeTokens: number | undefined;
}

const NO_LIMITS: ClientLimits = { rate: undefined, activeTokens: undefined };

/** The limits that apply to a client: each is its own if it has one, else the default. A default burst belongs to the default rate. */
export const limitsOf = ({ spec }: Pick<OAuthClient, 'spec'>, defaults: DefaultLimits): ClientLimits => {
  const own = spec.limits ?? {};
  const tokensPerSecond = own.tokensPerSecond ?? defaults.tokensPerSecond;
  const activeTokens = own.activeTokens ?? defaults.activeTokens;
  if (tokensPerSecond === 0 && activeTokens === 0) return NO_LIMITS;
  const defaultBurst = own.tokensPerSecond === undefined ? defaults.burst : 0;
  const burst = own.burst ?? (defaultBurst === 0 ? tokensPerSecond : defaultBurst);
  return {
    rate: tokensPerSecond === 0 ? undefined : { tokensPerSecond, burst },
    activeTokens: activeTokens === 0 ? undefined : activeTokens,
  };
};

/** Whether clients without limits of their own have any. */
export const areLimited = ({ tokensPerSecond, activeTokens }: DefaultLimits): boolean =>
  tokensPerSecond > 0 || activeTokens > 0;

/** Whether a client states its own limit. */
export const hasOwnLimit = ({ spec }: Pick<OAuthClient, 'spec'>): boolean =>
  (spec.limits?.tokensPerSecond ?? 0) > 0 || (spec.limits?.activeTokens ?? 0) > 0;
