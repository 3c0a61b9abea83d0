import type { FairSemaphore } from '../../async/fair-semaphore.ts';
import { mapAwaitable } from '../../async/map-awaitable.ts';
import { unauthenticatedKey } from '../../domain/caller-address.ts';
import { isThisIssuer } from '../../domain/client/client-rules.ts';
import { isSameButForSlash } from '../../domain/client/issuer-identity.ts';
import type { IssuerSettings, SignedClaims } from '../../domain/jwt/claims.ts';
import type { JwtFault } from '../../domain/jwt/jwt-checks.ts';
import { recordOfClaims } from '../../domain/record/claimed-record.ts';
import type { TokenRecord } from '../../domain/record/token-record.ts';
import { type BearerError, IssuerFailure } from '../failure.ts';
import { MAX_JWT_CHARACTERS } from '../keys/keyring.ts';
import type { JwtValidation, ValidateJwt, ValidJwt } from '../registry/validate-jwt.ts';
import type { AuthenticateBearer, AuthenticateSelf, Bearer, BearerSelf, Call } from '../use-cases.ts';
import { type ExternalIssuers, ownClaim, prefixedName } from './external-issuers.ts';
import type { InTurn } from './remote-keys.ts';
import type { TrustedEndpoint } from './trusted-endpoints.ts';
import { hasAudience, readUnverifiedJwt } from './unverified-jwt.ts';

/** What a token of this issuer may do as a bearer (spec §6, `authorization.issuedTokens`); '' requires nothing. */
export interface BearerPolicy {
  readonly access: 'Owner' | 'Self';
  readonly scope: string;
  readonly audience: string;
}

export interface AuthenticateBearerOptions {
  readonly validateJwt: ValidateJwt;
  readonly externalIssuers: ExternalIssuers;
  /** Bounds the checks of signatures of external issuers, and lets addresses take turns; `validateJwt` does so for those of this issuer. */
  readonly queue: FairSemaphore;
  readonly settings: Pick<IssuerSettings, 'url' | 'previousURLs' | 'ownerClaim'>;
  readonly policy: BearerPolicy;
  readonly endpoints: readonly TrustedEndpoint[];
}

/** RFC 6750 §2.1: the scheme in any case (RFC 9110 §11.1), and one b64token. */
const SCHEME = /^bearer(?: |$)/iu;
const BEARER = /^bearer +([A-Za-z0-9\-._~+/]+=*)$/iu;

/** The same text for every cause; `detail` is for the log. */
const unauthenticated = (detail: string, bearerError: BearerError | undefined): IssuerFailure =>
  new IssuerFailure('BearerInvalid', 'the bearer is missing or not good', { detail, bearerError });
const missing = (detail: string): IssuerFailure => unauthenticated(detail, undefined);

/** The failure of a bearer that is malformed, expired, revoked or not valid for another reason. */
export const invalidBearer = (detail: string): IssuerFailure => unauthenticated(detail, 'invalid_token');

/** The JWT in an Authorization header. @throws IssuerFailure `BearerInvalid` if there is none */
const bearerOf = (authorization: string | undefined): string => {
  if (authorization === undefined || authorization === '') throw missing('no bearer');
  if (!SCHEME.test(authorization)) throw missing('no bearer scheme');
  if (authorization.length > MAX_JWT_CHARACTERS) throw invalidBearer('too long');
  const jwt = BEARER.exec(authorization)?.[1];
  if (jwt === undefined) throw invalidBearer('not one token');
  return jwt;
};

/** Checks what the configuration requires of a valid token. @throws IssuerFailure */
const requireAll = (claims: SignedClaims, { scope, audience }: BearerPolicy): void => {
  const scopes = typeof claims.scope === 'string' ? claims.scope.split(' ') : [];
  if (audience !== '' && !hasAudience(claims, audience)) {
    throw invalidBearer('the audience that the configuration requires is missing');
  }
  if (scope !== '' && !scopes.includes(scope)) {
    throw unauthenticated('the scope that the configuration requires is missing', 'insufficient_scope');
  }
};

/**
 * Whether a token is for others than this issuer (RFC 7519 §4.1.3): everyone to whom it was sent could list and revoke in its owner's name.
 * A token that has the configured audience is for this issuer too, and one without `aud` is for nobody in particular.
 */
const isForOthers = (claims: SignedClaims, { policy, settings }: AuthenticateBearerOptions): boolean =>
  claims.aud !== undefined &&
  ![settings.url, ...(settings.previousURLs ?? [])].some((url) => hasAudience(claims, url)) &&
  (policy.audience === '' || !hasAudience(claims, policy.audience));

/** What a valid token of this issuer may see and revoke. @throws IssuerFailure */
const ownBearer = ({ claims, record }: ValidJwt, options: AuthenticateBearerOptions): Bearer => {
  const { policy, settings } = options;
  requireAll(claims, policy);
  const owner = claims[settings.ownerClaim];
  if (typeof owner !== 'string' || owner === '') throw ownerMissing();
  const isLimited = policy.access === 'Self' || isForOthers(claims, options);
  return { owner, onlyID: isLimited ? record.id : undefined, client: record.client };
};

/** The record of a JWT; if its status is not written yet, the one that its claims make. */
const ownRecord = (
  { claims, record }: Pick<ValidJwt, 'claims' | 'record'>,
  { ownerClaim }: AuthenticateBearerOptions['settings'],
): TokenRecord => (record.state === 'Next' ? recordOfClaims(record, claims, ownerClaim) : record);

const ownerMissing = (): IssuerFailure =>
  new IssuerFailure('OwnerMissing', 'the bearer token does not name an owner');

/** Validates a JWT of a trusted external issuer; undefined if no endpoint names its issuer. @throws IssuerFailure */
const byEndpoint = async (
  options: AuthenticateBearerOptions,
  jwt: string,
  call: Pick<Call, 'address' | 'signal'>,
): Promise<Bearer | undefined> => {
  const { endpoints, externalIssuers, queue, settings } = options;
  const iss = readUnverifiedJwt(jwt)?.claims.iss;
  const named = endpoints.filter(
    ({ authority }) =>
      typeof iss === 'string' && isSameButForSlash(authority, iss) && !isThisIssuer(settings, authority),
  );
  if (named.length === 0) return undefined;
  const { signal } = call;
  const inTurn: InTurn = (check) => queue.run(unauthenticatedKey(call), check, signal);
  let problem = 'not valid';
  for (const endpoint of named) {
    const verified = await externalIssuers.verify(jwt, endpoint, { namespace: '', signal, inTurn });
    if (verified && 'lacks' in verified) problem = verified.lacks;
    if (!verified || 'lacks' in verified) continue;
    const owner = prefixedName(endpoint.ownerPrefix ?? '', ownClaim(verified.claims, settings.ownerClaim));
    if (owner === undefined) throw ownerMissing();
    return { owner, onlyID: undefined, client: undefined };
  }
  throw invalidBearer(`of a trusted issuer, but ${problem}`);
};

/** Why a token of this issuer is rejected, for the log. */
const detailOf = (fault: JwtFault): string => `refused: ${fault}`;

/** The bearer that a validated JWT of this issuer is. @throws IssuerFailure */
const selfOf = (options: AuthenticateBearerOptions, validation: JwtValidation): BearerSelf => {
  if (validation.kind === 'valid') {
    return { bearer: ownBearer(validation, options), own: ownRecord(validation, options.settings) };
  }
  const { fault, claims, record } = validation;
  if (fault !== 'Blacklisted' || !claims || !record) throw invalidBearer(detailOf(fault));
  return { bearer: undefined, own: ownRecord({ claims, record }, options.settings) };
};

/**
 * Makes {@link AuthenticateSelf} (spec §4, §5): accepts valid JWTs of this issuer, and of the trusted endpoints of the configuration. The
 * owner is read from the verified claims.
 */
export const createAuthenticateSelf = (options: AuthenticateBearerOptions): AuthenticateSelf => {
  const { endpoints, validateJwt } = options;
  return (authorization, call) => {
    const jwt = bearerOf(authorization);
    const external = endpoints.length === 0 ? undefined : byEndpoint(options, jwt, call);
    return mapAwaitable(external, (bearer) =>
      bearer
        ? { bearer, own: undefined }
        : mapAwaitable(validateJwt(jwt, call), (validation) => selfOf(options, validation)),
    );
  };
};

/** Makes {@link AuthenticateBearer}: a blacklisted bearer is rejected. */
export const createAuthenticateBearer =
  (authenticateSelf: AuthenticateSelf): AuthenticateBearer =>
  async (authorization, call) => {
    const { bearer } = await authenticateSelf(authorization, call);
    if (bearer === undefined) throw invalidBearer(detailOf('Blacklisted'));
    return bearer;
  };
