import { durationMs, floorSeconds, formatTime, secondsOf } from '../../api/time.ts';
import type { TokenStatus } from '../../api/token.ts';
import { RENEW_REQUEST, requestedValue } from '../held-metadata.ts';
import { currentExpiration } from './declared-token.ts';
import { matchesCurrent, renewalPolicy, renewalTimeOf, signedAtOf } from './token-jwt.ts';
import type { PermittedObservation, TokenObservation } from './token-observation.ts';
import { isBeyondLimit } from './token-policies.ts';

/** The largest number of entries in `status.previous` (spec §2.1). */
const MAX_PREVIOUS = 8;
/** How long a JWT that never expires stays valid after its renewal if `spec.renewal.overlap` is absent, in seconds (spec §2.1). */
const UNBOUNDED_OVERLAP_SECONDS = 3600;
/** The longest time that a JWT stays valid once its claims or its limit have changed, in seconds (spec §2.1). */
const CHANGED_OVERLAP_SECONDS = 600;

/** Why a Token needs a JWT with the next issuance (spec §2.1, Issuing). */
export type IssueCause =
  | 'NeverIssued'
  | 'ClientReplaced'
  | 'KeyCompromised'
  | 'KeyUnknown'
  | 'ClaimsChanged'
  | 'ExpirationChanged'
  | 'BeyondLimit'
  | 'KeyRetired'
  | 'Due'
  | 'RenewRequested'
  | 'SecretLost';

/**
 * How long the replaced JWT stays valid: `Renewed` for `spec.renewal.overlap`, `Changed` for at most 10 min of it, `Dropped` not at
 * all. With the last two, the JWTs in `status.previous` are limited to 10 min as well.
 */
export type Succession = 'Renewed' | 'Changed' | 'Dropped';

/** What follows from a cause; `outcome` names the issuance in Events and metrics. */
interface CauseTraits {
  readonly outcome: 'Issued' | 'Renewed' | 'Reissued';
  readonly succession: Succession;
  /** The current JWT still matches the spec: the Token stays Ready if it can't be replaced. */
  readonly keepsCurrentValid: boolean;
  /** Whoever may write the Token, its Secret or its client can cause it again at will: it is paced (spec §2.1). */
  readonly isPaced: boolean;
}

const renewed: CauseTraits = {
  outcome: 'Renewed',
  succession: 'Renewed',
  keepsCurrentValid: true,
  isPaced: false,
};
const changed: CauseTraits = {
  outcome: 'Reissued',
  succession: 'Changed',
  keepsCurrentValid: false,
  isPaced: true,
};
const dropped: CauseTraits = {
  outcome: 'Reissued',
  succession: 'Dropped',
  keepsCurrentValid: false,
  isPaced: false,
};

/** What follows from each cause. */
export const CAUSE_TRAITS: Readonly<Record<IssueCause, CauseTraits>> = {
  NeverIssued: { ...dropped, outcome: 'Issued' },
  ClientReplaced: { ...dropped, isPaced: true },
  KeyCompromised: dropped,
  KeyUnknown: dropped,
  ClaimsChanged: changed,
  ExpirationChanged: changed,
  BeyondLimit: changed,
  KeyRetired: renewed,
  Due: renewed,
  RenewRequested: { ...renewed, isPaced: true },
  SecretLost: { ...renewed, outcome: 'Reissued', keepsCurrentValid: false, isPaced: true },
};

/** The value of the renew annotation in the form of `status.lastHandledRenew`; undefined if it is absent. */
export const renewRequestOf = ({ token }: Pick<TokenObservation, 'token'>): string | undefined =>
  requestedValue(RENEW_REQUEST, token.metadata);

const isRenewRequested = ({ token }: Pick<TokenObservation, 'token'>): boolean => {
  const request = renewRequestOf({ token });
  return request !== undefined && request !== token.status?.lastHandledRenew;
};

/** When the current JWT is due for renewal, in seconds since the Unix epoch; undefined if it is not renewed automatically. */
export const currentRenewalTime = ({
  token,
  settings,
}: Pick<TokenObservation, 'token' | 'settings'>): number | undefined => {
  const signedAt = signedAtOf(token.status, settings);
  if (signedAt === undefined) return undefined;
  const { metadata, spec } = token;
  return renewalTimeOf({ uid: metadata.uid, spec, signedAt, expiresAt: currentExpiration(token) });
};

type Check = (observation: PermittedObservation) => boolean;

const currentPhase = ({ token, keys }: PermittedObservation) => keys.phase(token.status?.keyID ?? '');

const isExpirationChanged: Check = ({ token }) => {
  const { expiration, lifetime } = token.spec;
  const current = currentExpiration(token);
  if (expiration !== undefined) return secondsOf(expiration) !== current;
  return lifetime !== undefined && current === undefined;
};

const isDue: Check = (observation) => {
  const due = currentRenewalTime(observation);
  return due !== undefined && due <= floorSeconds(observation.now);
};

/** The causes that do not depend on the Secret; those that invalidate the current JWT sooner come first. */
const CHECKS: readonly (readonly [IssueCause, Check])[] = [
  ['NeverIssued', ({ token }) => token.status?.id === undefined],
  ['ClientReplaced', ({ token, client }) => token.status?.clientUID !== client.metadata.uid],
  ['KeyCompromised', (observation) => currentPhase(observation) === 'Compromised'],
  // Without an active key the keyring may not be loaded yet.
  [
    'KeyUnknown',
    (observation) => observation.keys.activeKid !== undefined && currentPhase(observation) === undefined,
  ],
  ['ClaimsChanged', (observation) => !matchesCurrent(observation)],
  ['ExpirationChanged', isExpirationChanged],
  ['BeyondLimit', isBeyondLimit],
  // A retired key is kept until its last JWT expires; one that never expires would keep it forever (spec §2.5).
  [
    'KeyRetired',
    (observation) =>
      observation.token.status?.expiration === undefined && currentPhase(observation) === 'Retired',
  ],
  ['Due', isDue],
  ['RenewRequested', isRenewRequested],
];

/** Why the Token needs a new JWT whatever its Secret holds; undefined if the current one is still right. */
export const findIssueCause = (observation: PermittedObservation): IssueCause | undefined =>
  CHECKS.find(([, applies]) => applies(observation))?.[0];

/** Whether the causes of a new JWT are all of those that users can repeat at will: nothing that is due by its time or by its key is paced. */
export const isPaced = (observation: PermittedObservation, cause: IssueCause): boolean =>
  CAUSE_TRAITS[cause].isPaced &&
  !CHECKS.some(([other, applies]) => !CAUSE_TRAITS[other].isPaced && applies(observation));

/**
 * Whether the JWT has expired and is not renewed (reason `Expired`, spec §2.1): the policy is `Never`, and since then neither
 * `spec.expiration` was changed nor, if the spec has none, a new value of the renew annotation was set.
 */
export const isFinallyExpired = ({ token, now }: TokenObservation): boolean => {
  const current = currentExpiration(token);
  if (current === undefined || current > floorSeconds(now) || renewalPolicy(token.spec) === 'Auto')
    return false;
  const { expiration } = token.spec;
  return expiration === undefined ? !isRenewRequested({ token }) : secondsOf(expiration) === current;
};

type PreviousToken = NonNullable<TokenStatus['previous']>[number];

/** A status before an issuance, and what decides which of its JWTs stay valid. */
interface SuccessionInput {
  readonly status: TokenStatus | undefined;
  readonly succession: Succession;
  /** `spec.renewal.overlap`. */
  readonly overlap: string | undefined;
  readonly nowSeconds: number;
  /** False if the JWTs in `status.previous` are dropped: they belong to another client UID. */
  readonly keepsPrevious: boolean;
  readonly isCompromised: (kid: string) => boolean;
}

/** How long a JWT stays valid from now, in seconds, unless its own `exp` comes first. */
const overlapSeconds = ({ status, succession, overlap }: SuccessionInput): number => {
  const requested = overlap === undefined ? undefined : Math.floor(durationMs(overlap) / 1000);
  const fallback = status?.expiration === undefined ? UNBOUNDED_OVERLAP_SECONDS : Number.POSITIVE_INFINITY;
  const seconds = requested ?? fallback;
  return succession === 'Renewed' ? seconds : Math.min(seconds, CHANGED_OVERLAP_SECONDS);
};

const currentAsPrevious = (input: SuccessionInput): PreviousToken | undefined => {
  const { status, succession, nowSeconds } = input;
  const { id, issuedAt, keyID, expiration } = status ?? {};
  if (succession === 'Dropped' || id === undefined || issuedAt === undefined || keyID === undefined) {
    return undefined;
  }
  const own = expiration === undefined ? Number.POSITIVE_INFINITY : secondsOf(expiration);
  return { id, issuedAt, expiration: formatTime(Math.min(own, nowSeconds + overlapSeconds(input))), keyID };
};

/** A renewal keeps the overlap that an earlier renewal granted; every other cause shortens it. */
const previousKept = (input: SuccessionInput): readonly PreviousToken[] => {
  const { status, succession, nowSeconds, keepsPrevious } = input;
  const previous = keepsPrevious ? (status?.previous ?? []) : [];
  if (succession === 'Renewed') return previous;
  const latest = nowSeconds + overlapSeconds(input);
  return previous.map((entry) =>
    secondsOf(entry.expiration) > latest ? { ...entry, expiration: formatTime(latest) } : entry,
  );
};

/** The entries of `status.previous` that are still valid: neither expired nor signed with a compromised key. */
export const validPrevious = (
  previous: readonly PreviousToken[] | undefined,
  nowSeconds: number,
  isCompromised: (kid: string) => boolean,
): PreviousToken[] =>
  (previous ?? []).filter(
    ({ expiration, keyID }) => secondsOf(expiration) > nowSeconds && !isCompromised(keyID),
  );

/** `status.previous` after an issuance, oldest first: the valid entries and the replaced JWT. Beyond 8 entries the oldest are dropped. */
export const previousAfter = (input: SuccessionInput): PreviousToken[] => {
  const replaced = currentAsPrevious(input);
  const others = previousKept(input).filter(({ id }) => id !== replaced?.id);
  const all = replaced ? [...others, replaced] : others;
  return validPrevious(all, input.nowSeconds, input.isCompromised).slice(-MAX_PREVIOUS);
};
