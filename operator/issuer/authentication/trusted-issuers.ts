import type { OAuthClient } from '../../api/oauth-client.ts';
import { isSameButForSlash } from '../../domain/client/issuer-identity.ts';
import type { IssuerSettings } from '../../domain/jwt/claims.ts';
import { findInexactNumber, LARGEST_EXACT } from '../../domain/jwt/inexact-number.ts';
import type { Clock } from '../../ports/clock.ts';
import { refused } from '../failure.ts';
import type { AssertionOutcome, CheckAssertion } from './client-assertions.ts';
import { type ExternalIssuers, ownClaim, prefixedName } from './external-issuers.ts';
import { isBearerOnly, type TrustedEndpoint } from './trusted-endpoints.ts';
import { type Claims, hasAudience } from './unverified-jwt.ts';

export interface TrustedIssuersOptions {
  readonly issuers: ExternalIssuers;
  /** The claims that name owner and device (spec §6). */
  readonly settings: Pick<IssuerSettings, 'ownerClaim' | 'deviceIDClaim'>;
  /** The external issuers whose bearers are trusted: their bearers are no assertions. */
  readonly endpoints: readonly TrustedEndpoint[];
  readonly clock: Clock;
}

type TrustedIssuer = NonNullable<
  NonNullable<OAuthClient['spec']['authentication']>['trustedIssuers']
>[number];

/** The most bytes of JSON that `originalTokenClaims` may have (spec §2.4). */
const MAX_BYTES = 4096;
/** The deepest nesting; a google.protobuf.Value can't be decoded much deeper. */
const MAX_DEPTH = 16;
/** The limit of the CRD of IssuedToken. */
const MAX_CLAIMS = 256;

const isDeeperThan = (value: unknown, depth: number): boolean => {
  if (typeof value !== 'object' || value === null) return false;
  return depth === 0 || Object.values(value).some((inner) => isDeeperThan(inner, depth - 1));
};

/** The assertion has been verified, so that the caller may learn what to change. */
const tooMuch = (what: string) => {
  const remedy = "name the needed ones in the client's trustedIssuers[].claims";
  return refused('invalid_client', `the claims of the assertion ${what}: ${remedy}`, 'originalTokenClaims');
};

/**
 * `originalTokenClaims`: all claims of the assertion, or those that are named.
 * @throws IssuerFailure `invalid_client` if they exceed a limit
 */
const originalClaimsOf = (claims: Claims, names: readonly string[] | undefined): Claims => {
  const entries = Object.entries(claims).filter(([name]) => names?.includes(name) ?? true);
  const chosen = Object.fromEntries(entries);
  if (entries.length > MAX_CLAIMS) throw tooMuch(`are more than ${MAX_CLAIMS}`);
  if (isDeeperThan(chosen, MAX_DEPTH)) throw tooMuch(`are nested more than ${MAX_DEPTH} deep`);
  const inexact = findInexactNumber(chosen);
  if (inexact !== undefined) {
    throw tooMuch(`have a number beyond ${LARGEST_EXACT} at ${inexact}, which can not be kept exactly`);
  }
  const bytes = Buffer.byteLength(JSON.stringify(chosen));
  if (bytes > MAX_BYTES) throw tooMuch(`take ${bytes} bytes as JSON, at most ${MAX_BYTES} are kept`);
  return chosen;
};

const hasClaims = (claims: Claims, required: Readonly<Record<string, string>> = {}): boolean =>
  Object.entries(required).every(([name, value]) => Object.hasOwn(claims, name) && claims[name] === value);

/** The longest time after `iat`, or until `exp`, for which a one-use assertion is accepted: the record that prevents a replay must outlive it. */
const ONE_TIME_SECONDS = 300;
const MAX_ID = 256;

/**
 * What keeps an assertion from being one that is used once (RFC 7523 §3 item 7), as fixed text; `now` in milliseconds. One that has `iat`
 * is not accepted later either, if `exp` is near then.
 */
const findOneTimeProblem = ({ jti, iat, exp }: Claims, now: number): string | undefined => {
  if (typeof jti !== 'string' || jti === '' || jti.length > MAX_ID) return 'jti is missing or too long';
  const seconds = now / 1000;
  if (typeof iat === 'number') {
    return iat + ONE_TIME_SECONDS < seconds
      ? 'it may be used once, and was issued more than 5 min ago'
      : undefined;
  }
  const isEndingSoon = typeof exp === 'number' && exp <= seconds + ONE_TIME_SECONDS;
  return isEndingSoon ? undefined : 'it may be used once, and has no iat, nor an exp within 5 min';
};

/** When a one-use assertion can have been used first, by its claims; seconds since the Unix epoch. */
const earliestUseOf = ({ iat, nbf, exp }: Claims): number => {
  const first = typeof iat === 'number' ? iat : Number(exp) - ONE_TIME_SECONDS;
  return typeof nbf === 'number' ? Math.max(first, nbf) : first;
};

/**
 * The device ID in an assertion; undefined if there is none. One in `sub` is the subject, which has the issuer's prefix.
 * `problem` is fixed text.
 */
const deviceIn = (claims: Claims, name: string): { readonly id?: string } | { readonly problem: string } => {
  const value = name === '' || name === 'sub' ? undefined : ownClaim(claims, name);
  if (value === undefined || value === null || value === '') return {};
  const id = prefixedName('', value);
  return id === undefined ? { problem: 'the device-ID claim can not name a device' } : { id };
};

/** Whether claims may be of an issuer, which its discovery document decides where they differ by a slash. */
const isOf = ({ authority }: TrustedIssuer, { iss }: Claims): boolean =>
  typeof iss === 'string' && isSameButForSlash(authority, iss);

/** Whether an issuer's entry accepts these claims, apart from signature and times. */
const accepts = (issuer: TrustedIssuer, claims: Claims): boolean =>
  isOf(issuer, claims) &&
  (issuer.audience === '*' || hasAudience(claims, issuer.audience)) &&
  hasClaims(claims, issuer.requiredClaims);

/** Checks assertions of OpenID providers that the client trusts; they determine owner and subject (spec §2.4). */
export const createTrustedIssuers = (options: TrustedIssuersOptions): CheckAssertion => {
  const { issuers, settings, endpoints, clock } = options;

  const authenticatedBy = (
    client: OAuthClient,
    { issuer, isOneTime }: { issuer: TrustedIssuer; isOneTime: boolean },
    claims: Claims,
  ): AssertionOutcome => {
    const prefix = issuer.ownerPrefix ?? '';
    const owner = prefixedName(prefix, ownClaim(claims, settings.ownerClaim));
    const subject = prefixedName(prefix, claims.sub);
    if (owner === undefined) return { problem: 'the owner claim is missing, or can not name an owner' };
    if (subject === undefined) return { problem: 'sub can not name a subject' };
    const problem = isOneTime ? findOneTimeProblem(claims, clock.now()) : undefined;
    if (problem !== undefined) return { problem };
    const device = deviceIn(claims, settings.deviceIDClaim);
    if ('problem' in device) return device;
    const originalTokenClaims = originalClaimsOf(claims, issuer.claims);
    const method = 'trustedIssuer';
    // Of its issuer, so that no other issuer, and not the client itself, can use up its jti.
    const id = JSON.stringify([issuer.authority, claims.jti]);
    const assertion = isOneTime ? { id, earliestUse: earliestUseOf(claims) } : undefined;
    const deviceID = device.id;
    return { authenticated: { client, method, owner, subject, deviceID, originalTokenClaims, assertion } };
  };

  return async ({ client, jwt, signal, inTurn }) => {
    const trusted = client.spec.authentication?.trustedIssuers ?? [];
    const named = trusted.filter((issuer) => isOf(issuer, jwt.claims));
    if (named.length === 0) return undefined;
    if (isBearerOnly(endpoints, jwt.claims)) return { problem: 'it is a bearer of authorization.endpoints' };
    const accepting = named.filter((issuer) => accepts(issuer, jwt.claims));
    if (accepting.length === 0) return { problem: 'aud or a required claim is not the configured one' };
    // Of several entries that accept it, the strictest one.
    const isOneTime = accepting.some(({ oneTimeUse }) => oneTimeUse === true);
    const { namespace } = client.metadata;
    let lacks: string | undefined;
    for (const issuer of accepting) {
      const verified = await issuers.verify(jwt.jwt, issuer, { namespace, signal, inTurn });
      if (!verified) continue;
      if ('lacks' in verified) lacks = verified.lacks;
      else if (accepts(issuer, verified.claims))
        return authenticatedBy(client, { issuer, isOneTime }, verified.claims);
    }
    // Its issuer has signed it, and the client accepts everything else, so that the caller may learn what to change.
    if (lacks !== undefined)
      throw refused(
        'invalid_client',
        `the assertion is signed by a trusted issuer, but ${lacks}`,
        'assertion',
      );
    return { problem: 'it is expired, incomplete, of another type, or not signed by an external issuer' };
  };
};
