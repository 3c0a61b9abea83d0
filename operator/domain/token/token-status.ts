import {
  type ConditionUpdate,
  removeCondition,
  setCondition,
  type TokenReason,
} from '../../api/conditions.ts';
import type { Token, TokenStatus } from '../../api/token.ts';
import { canonicalJson } from '../canonical-json.ts';
import { claimsDigest, type IssuerSettings, type JwtContent } from '../jwt/claims.ts';
import { formatTime } from '../timestamps.ts';

/** The part of a Token's status that the current JWT gives. */
export type JwtStatus = Pick<
  TokenStatus,
  | 'id'
  | 'owner'
  | 'subject'
  | 'clientID'
  | 'clientUID'
  | 'keyID'
  | 'audience'
  | 'scope'
  | 'issuedAt'
  | 'expiration'
  | 'originalTokenClaims'
  | 'claimsDigest'
>;

const textOf = (claim: unknown): string => (typeof claim === 'string' ? claim : '');
const timeOf = (claim: unknown): string | undefined =>
  typeof claim === 'number' ? formatTime(claim) : undefined;
const isObject = (claim: unknown): claim is Record<string, unknown> =>
  typeof claim === 'object' && claim !== null && !Array.isArray(claim);
const textsOf = (claim: unknown): string[] =>
  Array.isArray(claim) ? claim.filter((item) => typeof item === 'string') : [];

/** `value` without the members that are undefined. */
const compact = <T extends object>(value: { [K in keyof T]: T[K] | undefined }): T =>
  Object.fromEntries(Object.entries(value).filter(([, member]) => member !== undefined)) as T;

/** What status says of a JWT: read from its claims alone, so that one that is found says the same as one just signed. */
export const describeJwt = (
  jwt: JwtContent,
  signed: { readonly kid: string; readonly clientUID: string; readonly settings: IssuerSettings },
): JwtStatus => {
  const { claims } = jwt;
  const audience = textsOf(claims.aud);
  const scope = textOf(claims.scope).split(' ').filter(Boolean);
  return compact<JwtStatus>({
    id: textOf(claims.jti),
    owner: textOf(claims[signed.settings.ownerClaim]),
    subject: textOf(claims.sub),
    clientID: textOf(claims.client_id),
    clientUID: signed.clientUID,
    keyID: signed.kid,
    audience: audience.length > 0 ? audience : undefined,
    scope: scope.length > 0 ? scope : undefined,
    issuedAt: timeOf(claims.iat),
    expiration: timeOf(claims.exp),
    originalTokenClaims: isObject(claims.originalTokenClaims) ? claims.originalTokenClaims : undefined,
    claimsDigest: claimsDigest(jwt),
  });
};

/** What a plan says of a Token's state; the reasons are those of spec §2.1. */
export interface TokenConditions {
  readonly ready: {
    readonly status: 'True' | 'False';
    readonly reason: TokenReason;
    readonly message: string;
  };
  /** A renewal that fails while the current JWT is still good. */
  readonly renewing?: { readonly reason: TokenReason; readonly message: string } | undefined;
}

/** Where only a person can help (spec §2.1). */
const STALLED_REASONS: readonly TokenReason[] = ['Blacklisted', 'Expired', 'InvalidExpiration'];

const put = (
  before: TokenStatus['conditions'],
  wanted: ConditionUpdate | { readonly type: string; readonly status?: undefined },
  at: { readonly now: string; readonly observedGeneration: number },
) => (wanted.status === undefined ? removeCondition(before, wanted.type) : setCondition(before, wanted, at));

/** A status with the conditions, observed at the Token's generation; times in whole seconds. */
export const withConditions = (
  status: TokenStatus,
  conditions: TokenConditions,
  at: { readonly nowSeconds: number; readonly generation: number },
): TokenStatus => {
  const stamp = { now: formatTime(at.nowSeconds), observedGeneration: at.generation };
  const { ready, renewing } = conditions;
  const stalled = ready.status === 'False' && STALLED_REASONS.includes(ready.reason);
  let updated = put(status.conditions, { type: 'Ready', ...ready }, stamp);
  updated = put(
    updated,
    renewing ? { type: 'Renewing', status: 'False', ...renewing } : { type: 'Renewing' },
    stamp,
  );
  updated = put(
    updated,
    stalled
      ? { type: 'Stalled', status: 'True', reason: ready.reason, message: ready.message }
      : { type: 'Stalled' },
    stamp,
  );
  return { ...status, observedGeneration: at.generation, conditions: updated };
};

/**
 * The status to be written: with the next `version`; undefined where nothing but the version would differ from what the Token
 * has, since a write that changes nothing is not made.
 */
export const nextStatus = ({ status = {} }: Token, wanted: TokenStatus): TokenStatus | undefined => {
  const { version: _wanted, ...after } = wanted;
  const { version = 0, ...before } = status;
  if (canonicalJson(after) === canonicalJson(before)) return undefined;
  return compact<TokenStatus>({ ...after, version: version + 1 });
};

/** What is left of a planned status where a Secret could not be removed: all of it, but `secretRef` still leads to what is there. */
export const statusDespiteSecret = (token: Token, planned: TokenStatus): TokenStatus | undefined => {
  const secretRef = token.status?.secretRef ?? planned.secretRef;
  return nextStatus(token, { ...planned, ...(secretRef && { secretRef }) });
};
