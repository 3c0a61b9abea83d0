import { RENEW_REQUEST, requestedValue } from '../annotation-request.ts';
import { floorSeconds, secondsOf } from '../timestamps.ts';
import type { Succession } from './previous.ts';
import { renewalPolicy, renewalTimeOf } from './renewal.ts';
import { matchesCurrent } from './token-grant.ts';
import { isBeyondLimit, signedAtOf } from './token-lifetime.ts';
import { currentExpiration, type TokenObservation } from './token-observation.ts';
import type { PermittedObservation } from './token-policies.ts';

/** Why a Token needs a JWT of a new number. */
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

/** What a cause says of the JWT that is replaced, and how the issuance is called in events and metrics. */
interface CauseTraits {
  readonly outcome: 'Issued' | 'Renewed' | 'Reissued';
  readonly succession: Succession;
  /** The current JWT still says what the spec asks for: a failure to replace it is no failure of the Token. */
  readonly keepsCurrentValid: boolean;
}

const renewed: CauseTraits = { outcome: 'Renewed', succession: 'Renewed', keepsCurrentValid: true };
const changed: CauseTraits = { outcome: 'Reissued', succession: 'Changed', keepsCurrentValid: false };
const dropped: CauseTraits = { outcome: 'Reissued', succession: 'Dropped', keepsCurrentValid: false };

/** One row for each cause. */
export const CAUSE_TRAITS: Readonly<Record<IssueCause, CauseTraits>> = {
  NeverIssued: { ...dropped, outcome: 'Issued' },
  ClientReplaced: dropped,
  KeyCompromised: dropped,
  KeyUnknown: dropped,
  ClaimsChanged: changed,
  ExpirationChanged: changed,
  BeyondLimit: changed,
  KeyRetired: renewed,
  Due: renewed,
  RenewRequested: renewed,
  SecretLost: { ...renewed, outcome: 'Reissued', keepsCurrentValid: false },
};

/** The value of the renew annotation in the form in which the status remembers it. */
export const renewRequestOf = ({ token }: Pick<TokenObservation, 'token'>): string | undefined =>
  requestedValue(RENEW_REQUEST, token.metadata);

/** Whether the renew annotation has a value that no issuance has answered. */
const isRenewRequested = ({ token }: Pick<TokenObservation, 'token'>): boolean => {
  const request = renewRequestOf({ token });
  return request !== undefined && request !== token.status?.lastHandledRenew;
};

/** When the current JWT is due, in seconds since the Unix epoch; undefined where it is not renewed by itself. */
export const currentRenewalTime = ({
  token,
  settings,
}: Pick<TokenObservation, 'token' | 'settings'>): number | undefined => {
  const signedAt = signedAtOf(token.status, settings);
  if (signedAt === undefined) return undefined;
  const { metadata, spec } = token;
  return renewalTimeOf({ uid: metadata.uid, spec, signedAt, expiresAt: currentExpiration(token) });
};

type Check = (observation: PermittedObservation) => IssueCause | undefined;

const NeverIssued: Check = ({ token }) => (token.status?.id === undefined ? 'NeverIssued' : undefined);

const ClientReplaced: Check = ({ token, client }) =>
  token.status?.clientUID === client.metadata.uid ? undefined : 'ClientReplaced';

const KeyCompromised: Check = ({ token, keys }) =>
  keys.phase(token.status?.keyID ?? '') === 'Compromised' ? 'KeyCompromised' : undefined;

/** Without any active key the keyring may just not have been read yet. */
const KeyUnknown: Check = ({ token, keys }) =>
  keys.activeKid !== undefined && keys.phase(token.status?.keyID ?? '') === undefined
    ? 'KeyUnknown'
    : undefined;

const ClaimsChanged: Check = (observation) => (matchesCurrent(observation) ? undefined : 'ClaimsChanged');

const ExpirationChanged: Check = ({ token }) => {
  const { expiration, lifetime } = token.spec;
  const current = currentExpiration(token);
  if (expiration !== undefined) {
    return secondsOf(expiration) === current ? undefined : 'ExpirationChanged';
  }
  return lifetime !== undefined && current === undefined ? 'ExpirationChanged' : undefined;
};

const BeyondLimit: Check = (observation) => (isBeyondLimit(observation) ? 'BeyondLimit' : undefined);

/** A retired key is kept while its JWTs live: one that never expires would keep it for ever (spec §2.5). */
const KeyRetired: Check = ({ token, keys }) =>
  token.status?.expiration === undefined && keys.phase(token.status?.keyID ?? '') === 'Retired'
    ? 'KeyRetired'
    : undefined;

const Due: Check = (observation) => {
  const due = currentRenewalTime(observation);
  return due !== undefined && due <= floorSeconds(observation.now) ? 'Due' : undefined;
};

const RenewRequested: Check = (observation) => (isRenewRequested(observation) ? 'RenewRequested' : undefined);

/** Causes that end the old JWT sooner come first. */
const CHECKS: readonly Check[] = [
  NeverIssued,
  ClientReplaced,
  KeyCompromised,
  KeyUnknown,
  ClaimsChanged,
  ExpirationChanged,
  BeyondLimit,
  KeyRetired,
  Due,
  RenewRequested,
];

/** Why the Token needs a JWT of a new number, whatever its Secret holds; undefined where the current one will do. */
export const findIssueCause = (observation: PermittedObservation): IssueCause | undefined => {
  for (const check of CHECKS) {
    const cause = check(observation);
    if (cause !== undefined) return cause;
  }
  return undefined;
};

/**
 * Whether the Token's JWT has expired for good: it is not renewed by itself, and nobody has asked for another one since, by a
 * changed `spec.expiration` or, where there is none, by the renew annotation.
 */
export const isFinallyExpired = ({ token, now }: TokenObservation): boolean => {
  const current = currentExpiration(token);
  if (current === undefined || current > floorSeconds(now) || renewalPolicy(token.spec) === 'Auto')
    return false;
  const { expiration } = token.spec;
  return expiration === undefined ? !isRenewRequested({ token }) : secondsOf(expiration) === current;
};
