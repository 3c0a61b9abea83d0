import { mapAwaitable } from '../../async/map-awaitable.ts';
import type { IssuerSettings } from '../../domain/jwt/claims.ts';
import type { JwtFault, SignedClaims } from '../../domain/jwt/jwt-checks.ts';
import { recordOfClaims } from '../../domain/record/claimed-record.ts';
import type { TokenRecord } from '../../domain/record/token-record.ts';
import { IssuerFailure } from '../failure.ts';
import { MAX_JWT_CHARACTERS } from '../keys/keyring.ts';
import type { JwtValidation, ValidateJwt, ValidJwt } from '../registry/validate-jwt.ts';
import type { AuthenticateBearer, AuthenticateSelf, Bearer, BearerSelf } from '../use-cases.ts';
import type { ExternalIssuer, ExternalIssuers } from './external-issuers.ts';
import { ownClaim, prefixedName } from './external-name.ts';
import { readUnverifiedJwt } from './unverified-jwt.ts';

/** Another issuer whose bearers are trusted (spec §6, `authorization.endpoints`). */
interface TrustedEndpoint extends ExternalIssuer {
  readonly ownerPrefix: string;
}

/** What a token of ours may do as a bearer (spec §6, `authorization.issuedTokens`); '' asks for nothing. */
export interface BearerPolicy {
  readonly access: 'Owner' | 'Self';
  readonly scope: string;
  readonly audience: string;
}

export interface AuthenticateBearerOptions {
  readonly validateJwt: ValidateJwt;
  readonly externalIssuers: ExternalIssuers;
  readonly settings: Pick<IssuerSettings, 'url' | 'ownerClaim'>;
  readonly policy: BearerPolicy;
  readonly endpoints: readonly TrustedEndpoint[];
}

/** RFC 6750 §2.1, the scheme in any case (RFC 9110 §11.1); one b64token and nothing else. */
const BEARER = /^bearer +([A-Za-z0-9\-._~+/]+=*)$/iu;

/** One text for every cause: who brings a bad bearer learns nothing of it. */
const invalid = (detail: string): IssuerFailure =>
  new IssuerFailure('BearerInvalid', 'the bearer is missing or not good', { detail });

/** The JWT in an Authorization header. @throws IssuerFailure `BearerInvalid` where there is none */
const bearerOf = (authorization: string | undefined): string => {
  if (authorization === undefined || authorization === '') throw invalid('no bearer');
  if (authorization.length > MAX_JWT_CHARACTERS) throw invalid('too long');
  const jwt = BEARER.exec(authorization)?.[1];
  if (jwt === undefined) throw invalid('no bearer scheme');
  return jwt;
};

const hasAll = (claims: SignedClaims, { scope, audience }: BearerPolicy): boolean => {
  const scopes = typeof claims.scope === 'string' ? claims.scope.split(' ') : [];
  const audiences = Array.isArray(claims.aud) ? claims.aud : [];
  return (scope === '' || scopes.includes(scope)) && (audience === '' || audiences.includes(audience));
};

/** Whose tokens a good token of ours may see and revoke. @throws IssuerFailure */
const ownBearer = ({ claims, record }: ValidJwt, { policy, settings }: AuthenticateBearerOptions): Bearer => {
  if (!hasAll(claims, policy))
    throw invalid('the scope or audience that the configuration asks for is missing');
  const owner = claims[settings.ownerClaim];
  if (typeof owner !== 'string' || owner === '') throw ownerMissing();
  return { owner, onlyID: policy.access === 'Self' ? record.id : undefined, client: record.client };
};

/** What the record says; of a JWT whose status is still to be written, what the JWT says itself. */
const ownRecord = (
  { claims, record }: Pick<ValidJwt, 'claims' | 'record'>,
  { ownerClaim }: AuthenticateBearerOptions['settings'],
): TokenRecord => (record.state === 'Next' ? recordOfClaims(record, claims, ownerClaim) : record);

const ownerMissing = (): IssuerFailure =>
  new IssuerFailure('OwnerMissing', 'the bearer token does not name an owner');

/** Judged by the endpoints that name its issuer; undefined where none does. @throws IssuerFailure */
const byEndpoint = async (
  options: AuthenticateBearerOptions,
  jwt: string,
  signal: AbortSignal,
): Promise<Bearer | undefined> => {
  const { endpoints, externalIssuers, settings } = options;
  const iss = readUnverifiedJwt(jwt)?.claims.iss;
  const named = endpoints.filter(({ authority }) => authority === iss && authority !== settings.url);
  if (named.length === 0) return undefined;
  for (const endpoint of named) {
    const claims = await externalIssuers.verify(jwt, endpoint, signal);
    if (claims === undefined) continue;
    const owner = prefixedName(endpoint.ownerPrefix, ownClaim(claims, settings.ownerClaim));
    if (owner === undefined) throw ownerMissing();
    return { owner, onlyID: undefined, client: undefined };
  }
  throw invalid('of a trusted issuer, and not good');
};

/** Why our judge refused it, for the log. */
const detailOf = (fault: JwtFault): string => `refused: ${fault}`;

/** Who a JWT of ours is. @throws IssuerFailure */
const selfOf = (options: AuthenticateBearerOptions, validation: JwtValidation): BearerSelf => {
  if (validation.kind === 'valid') {
    return { bearer: ownBearer(validation, options), own: ownRecord(validation, options.settings) };
  }
  const { fault, claims, record } = validation;
  if (fault !== 'Blacklisted' || !claims || !record) throw invalid(detailOf(fault));
  return { bearer: undefined, own: ownRecord({ claims, record }, options.settings) };
};

/**
 * Makes {@link AuthenticateSelf} (spec §4, §5): a JWT of this issuer that the one judge calls good, or of a trusted endpoint of
 * the configuration. The owner is read from the verified claims.
 */
export const createAuthenticateSelf = (options: AuthenticateBearerOptions): AuthenticateSelf => {
  const { endpoints, validateJwt } = options;
  return (authorization, call) => {
    const jwt = bearerOf(authorization);
    const foreign = endpoints.length === 0 ? undefined : byEndpoint(options, jwt, call.signal);
    return mapAwaitable(foreign, (bearer) =>
      bearer
        ? { bearer, own: undefined }
        : mapAwaitable(validateJwt(jwt, call), (validation) => selfOf(options, validation)),
    );
  };
};

/** Makes {@link AuthenticateBearer}: what is blacklisted opens nothing. */
export const createAuthenticateBearer = (options: AuthenticateBearerOptions): AuthenticateBearer => {
  const authenticateSelf = createAuthenticateSelf(options);
  return async (authorization, call) => {
    const { bearer } = await authenticateSelf(authorization, call);
    if (bearer === undefined) throw invalid(detailOf('Blacklisted'));
    return bearer;
  };
};
