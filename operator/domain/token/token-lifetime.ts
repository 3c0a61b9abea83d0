import { durationMs } from '../../api/duration.ts';
import type { OAuthClient } from '../../api/oauth-client.ts';
import type { Token, TokenStatus } from '../../api/token.ts';
import type { IssuerSettings } from '../jwt/claims.ts';
import { floorSeconds, LAST_SECOND, secondsOf } from '../timestamps.ts';
import { renewalPolicy } from './renewal.ts';

/** The shortest lifetime that can be renewed by itself, in seconds (spec §2.1). */
const SHORTEST_AUTO = 60;

/** Why a Token can't have the expiration it asks for. */
export interface LifetimeViolation {
  readonly message: string;
  /** When time alone makes it possible, in seconds since the Unix epoch. */
  readonly possibleAt?: number | undefined;
}

/** What a judgement of a Token's expiration needs; `now` in milliseconds. */
export interface LifetimeInput {
  readonly token: Token;
  readonly client: OAuthClient;
  readonly settings: IssuerSettings;
  readonly now: number;
}

/** The client's longest lifetime in whole seconds; undefined where it is unbounded (`0s`, spec §2.4). */
export const clientMaximum = ({ spec }: OAuthClient): number | undefined => {
  const ms = durationMs(spec.accessTokenLifetime ?? '1h');
  return ms === 0 ? undefined : floorSeconds(ms);
};

/** When the current JWT was signed, in seconds: its `iat` without the backdate. */
export const signedAtOf = (status: TokenStatus | undefined, settings: IssuerSettings): number | undefined =>
  status?.issuedAt === undefined
    ? undefined
    : secondsOf(status.issuedAt) + Math.ceil(settings.backdateMs / 1000);

/** A clock that was ahead when the JWT was signed, or another replica's, is no reason to call it too long. */
const limitReference = ({ token, settings, now }: LifetimeInput): number =>
  Math.max(floorSeconds(now), signedAtOf(token.status, settings) ?? 0);

/** Whether the current JWT, bounded or not, outlives what the client allows now. */
export const isBeyondLimit = (input: LifetimeInput): boolean => {
  const maximum = clientMaximum(input.client);
  const { status } = input.token;
  if (maximum === undefined || status?.id === undefined) return false;
  if (status.expiration === undefined) return true;
  return secondsOf(status.expiration) > limitReference(input) + maximum;
};

const beyondLimit = ({ token, client }: LifetimeInput, reference: number): LifetimeViolation | undefined => {
  const maximum = clientMaximum(client);
  const asked = secondsOf(token.spec.expiration ?? '');
  if (maximum === undefined || !(asked > reference + maximum)) return undefined;
  return {
    message: `spec.expiration is later than the client's accessTokenLifetime (${client.spec.accessTokenLifetime}) allows: set an earlier one`,
    possibleAt: asked - maximum,
  };
};

const findExpirationViolation = (input: LifetimeInput, expiration: string): LifetimeViolation | undefined => {
  const { token, now } = input;
  const asked = secondsOf(expiration);
  const current = token.status?.expiration;
  const isCurrent = current !== undefined && secondsOf(current) === asked;
  if (Number.isNaN(asked)) return { message: 'spec.expiration is not a time' };
  if (asked > LAST_SECOND) return { message: 'spec.expiration is too late: set one before the year 10000' };
  if (!isCurrent && asked <= floorSeconds(now)) {
    return { message: 'spec.expiration is in the past: set a later one' };
  }
  return beyondLimit(input, isCurrent ? limitReference(input) : floorSeconds(now));
};

/** Why a JWT that is signed now can't have the `spec.expiration` that the current one has: the clock went back, or the client's limit down. */
export const findIssueViolation = (input: LifetimeInput): LifetimeViolation | undefined =>
  beyondLimit(input, floorSeconds(input.now));

const findRelativeViolation = ({ token, client }: LifetimeInput): LifetimeViolation | undefined => {
  const { lifetime } = token.spec;
  const maximum = clientMaximum(client);
  const asked = lifetime === undefined ? maximum : floorSeconds(durationMs(lifetime));
  const source = lifetime === undefined ? "the client's accessTokenLifetime" : 'spec.lifetime';
  if (asked === undefined) return undefined;
  if (asked < 1) return { message: `${source} is shorter than 1s: set a longer one` };
  if (maximum !== undefined && asked > maximum) {
    return {
      message: `spec.lifetime is longer than the client's accessTokenLifetime (${client.spec.accessTokenLifetime}): set a shorter one`,
    };
  }
  if (renewalPolicy(token.spec) === 'Auto' && asked < SHORTEST_AUTO) {
    return { message: `${source} is shorter than 1m: set a longer one, or spec.renewal.policy: Never` };
  }
  return undefined;
};

/** The first thing that is wrong with the expiration or lifetime that the spec asks for (reason `InvalidExpiration`). */
export const findLifetimeViolation = (input: LifetimeInput): LifetimeViolation | undefined => {
  const { expiration } = input.token.spec;
  return expiration === undefined ? findRelativeViolation(input) : findExpirationViolation(input, expiration);
};

/** `exp` of a JWT that is signed now for a Token without violation, in seconds; undefined where it never expires. */
export const expirationFor = ({ token, client, now }: LifetimeInput): number | undefined => {
  const { expiration, lifetime } = token.spec;
  if (expiration !== undefined) return secondsOf(expiration);
  const seconds = lifetime === undefined ? clientMaximum(client) : floorSeconds(durationMs(lifetime));
  return seconds === undefined ? undefined : floorSeconds(now) + seconds;
};
