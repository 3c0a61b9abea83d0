import { createHash } from 'node:crypto';
import { durationMs } from '../../api/duration.ts';
import type { OAuthClient } from '../../api/oauth-client.ts';
import type { Token, TokenSpec, TokenStatus } from '../../api/token.ts';
import type { IssuerSettings } from '../jwt/claims.ts';
import { floorSeconds, LAST_SECOND, secondsOf } from '../timestamps.ts';

/** The shortest lifetime that policy `Auto` renews, in seconds (spec §2.1). */
const SHORTEST_AUTO_SECONDS = 60;
/** The shortest time between signing a JWT and its renewal, in seconds (spec §2.1). */
const SHORTEST_RENEWAL_SECONDS = 30;

/** Why a Token can't have the expiration that it asks for. */
export interface LifetimeViolation {
  /** What to change, for the condition. */
  readonly message: string;
  /** When the violation ends without any change, in seconds since the Unix epoch; undefined if it does not. */
  readonly possibleAt?: number | undefined;
}

/** What the expiration of a Token's JWT depends on. */
export interface LifetimeInput {
  readonly token: Token;
  readonly client: OAuthClient;
  readonly settings: IssuerSettings;
  /** Milliseconds since the Unix epoch. */
  readonly now: number;
}

/** The longest lifetime that a client allows, in whole seconds; undefined if it is unbounded (`0s`, spec §2.4). */
export const clientMaximum = ({ spec }: OAuthClient): number | undefined => {
  const ms = durationMs(spec.accessTokenLifetime ?? '1h');
  return ms === 0 ? undefined : floorSeconds(ms);
};

/** When the current JWT was signed, in seconds since the Unix epoch: its `iat` plus the configured backdate. Undefined if there is none. */
export const signedAtOf = (status: TokenStatus | undefined, settings: IssuerSettings): number | undefined =>
  status?.issuedAt === undefined
    ? undefined
    : secondsOf(status.issuedAt) + Math.ceil(settings.backdateMs / 1000);

/** The limit counts from signing if the clock has gone back since (spec §2.1): the JWT was within the limit then. */
const limitStart = ({ token, settings, now }: LifetimeInput): number =>
  Math.max(floorSeconds(now), signedAtOf(token.status, settings) ?? 0);

/** Whether the current JWT stays valid for longer than its client allows now (spec §2.1, Issuing). */
export const isBeyondLimit = (input: LifetimeInput): boolean => {
  const maximum = clientMaximum(input.client);
  const { status } = input.token;
  if (maximum === undefined || status?.id === undefined) return false;
  if (status.expiration === undefined) return true;
  return secondsOf(status.expiration) > limitStart(input) + maximum;
};

const findLimitViolation = (
  { token, client }: LifetimeInput,
  start: number,
): LifetimeViolation | undefined => {
  const maximum = clientMaximum(client);
  const requested = secondsOf(token.spec.expiration ?? '');
  if (maximum === undefined || !(requested > start + maximum)) return undefined;
  return {
    message: `spec.expiration is later than the client's accessTokenLifetime (${client.spec.accessTokenLifetime}) allows: set an earlier one`,
    possibleAt: requested - maximum,
  };
};

const findExpirationViolation = (input: LifetimeInput, expiration: string): LifetimeViolation | undefined => {
  const { token, now } = input;
  const requested = secondsOf(expiration);
  const current = token.status?.expiration;
  const isCurrent = current !== undefined && secondsOf(current) === requested;
  if (Number.isNaN(requested)) return { message: 'spec.expiration is not a time' };
  if (requested > LAST_SECOND)
    return { message: 'spec.expiration is too late: set one before the year 10000' };
  if (!isCurrent && requested <= floorSeconds(now)) {
    return { message: 'spec.expiration is in the past: set a later one' };
  }
  return findLimitViolation(input, isCurrent ? limitStart(input) : floorSeconds(now));
};

/**
 * Why a JWT that is signed now can't have the `spec.expiration` that the current JWT has, although the Token keeps its current
 * one: the clock has gone back since it was signed (spec §2.1: a new JWT never exceeds the limit by the current clock).
 */
export const findIssueViolation = (input: LifetimeInput): LifetimeViolation | undefined =>
  findLimitViolation(input, floorSeconds(input.now));

const findRelativeViolation = ({ token, client }: LifetimeInput): LifetimeViolation | undefined => {
  const { lifetime } = token.spec;
  const maximum = clientMaximum(client);
  const requested = lifetime === undefined ? maximum : floorSeconds(durationMs(lifetime));
  const source = lifetime === undefined ? "the client's accessTokenLifetime" : 'spec.lifetime';
  if (requested === undefined) return undefined;
  if (requested < 1) return { message: `${source} is shorter than 1s: set a longer one` };
  if (maximum !== undefined && requested > maximum) {
    return {
      message: `spec.lifetime is longer than the client's accessTokenLifetime (${client.spec.accessTokenLifetime}): set a shorter one`,
    };
  }
  if (renewalPolicy(token.spec) === 'Auto' && requested < SHORTEST_AUTO_SECONDS) {
    return { message: `${source} is shorter than 1m: set a longer one, or spec.renewal.policy: Never` };
  }
  return undefined;
};

/** The first violation by `spec.expiration` or `spec.lifetime` (reason `InvalidExpiration`, spec §2.1); undefined if there is none. */
export const findLifetimeViolation = (input: LifetimeInput): LifetimeViolation | undefined => {
  const { expiration } = input.token.spec;
  return expiration === undefined ? findRelativeViolation(input) : findExpirationViolation(input, expiration);
};

/** `exp` of a JWT that is signed now for a Token without violation, in seconds since the Unix epoch; undefined if it never expires. */
export const expirationFor = ({ token, client, now }: LifetimeInput): number | undefined => {
  const { expiration, lifetime } = token.spec;
  if (expiration !== undefined) return secondsOf(expiration);
  const seconds = lifetime === undefined ? clientMaximum(client) : floorSeconds(durationMs(lifetime));
  return seconds === undefined ? undefined : floorSeconds(now) + seconds;
};

/** The renewal policy of a Token (spec §2.1): always `Never` with `spec.expiration`, which a renewal could not move. */
export const renewalPolicy = ({ expiration, renewal }: TokenSpec): 'Auto' | 'Never' =>
  expiration !== undefined ? 'Never' : (renewal?.policy ?? 'Auto');

/** What a renewal time depends on; times in seconds since the Unix epoch. */
export interface RenewalInput {
  /** `metadata.uid`, from which the jitter is derived. */
  readonly uid: string;
  readonly spec: TokenSpec;
  /** When the JWT was signed: its `iat` plus the backdate. */
  readonly signedAt: number;
  readonly expiresAt: number | undefined;
}

/** A number in [0, 1) that is the same for a Token on every replica and at any time. */
const jitterOf = (uid: string): number =>
  createHash('sha256').update(`renewal ${uid}`).digest().readUInt32BE(0) / 2 ** 32;

/**
 * When a JWT is due for renewal, in whole seconds since the Unix epoch (spec §2.1): signedAt + max(lifetime − renewBefore,
 * lifetime/2), less a jitter of at most lifetime/10; at least 30 s after signing, and at the latest at its expiry. The lifetime is
 * that of the JWT, or `spec.lifetime` if that has become shorter. Undefined if the JWT is not renewed.
 */
export const renewalTimeOf = ({ uid, spec, signedAt, expiresAt }: RenewalInput): number | undefined => {
  if (renewalPolicy(spec) === 'Never' || expiresAt === undefined) return undefined;
  const requested = spec.lifetime === undefined ? Number.POSITIVE_INFINITY : durationMs(spec.lifetime) / 1000;
  const lifetime = Math.max(0, Math.min(expiresAt - signedAt, requested));
  const before =
    spec.renewal?.renewBefore === undefined ? lifetime / 3 : durationMs(spec.renewal.renewBefore) / 1000;
  const base = Math.max(lifetime - before, lifetime / 2) - (jitterOf(uid) * lifetime) / 10;
  return Math.min(expiresAt, signedAt + Math.ceil(Math.max(base, SHORTEST_RENEWAL_SECONDS)));
};
