import type { Token } from '../../api/token.ts';
import { secondsOf } from '../timestamps.ts';
import { clientKeyOf, nextTokenId } from '../token/declared-token.ts';
import { blacklistedAtOf, type TokenRecord } from './token-record.ts';

const NONE: readonly string[] = [];

/** What every JWT of a Token shares. */
const commonOf = (token: Token, clientOwner: string | undefined) => {
  const { metadata, spec, status = {} } = token;
  const { namespace, name, uid } = metadata;
  return {
    origin: { kind: 'Token', namespace, name, uid },
    version: status.version ?? 0,
    name: spec.tokenName ?? name,
    owner: status.owner ?? clientOwner ?? '',
    subject: status.subject ?? '',
    clientID: status.clientID ?? '',
    client: clientKeyOf(token),
    clientUID: status.clientUID ?? '',
    audience: status.audience ?? NONE,
    scope: status.scope ?? NONE,
    originalTokenClaims: status.originalTokenClaims,
    blacklistedAt: blacklistedAtOf(token),
  } as const;
};

/** Ids of a Token's JWTs that are recorded: the current one and earlier ones that are still listed. */
export const recordedIdsOf = ({ status }: Token): string[] => [
  ...(status?.id === undefined ? [] : [status.id]),
  ...(status?.previous ?? []).map(({ id }) => id),
];

/**
 * The record of one JWT of a declared Token; undefined where the Token has none of that id. `clientOwner` is the
 * `spec.owner` of its client, for a Token whose status names none yet.
 */
export const declaredRecordOf = (token: Token, id: string, clientOwner?: string): TokenRecord | undefined => {
  const { status = {} } = token;
  const seconds = (time: string | undefined): number | undefined =>
    time === undefined ? undefined : secondsOf(time);
  if (status.id === id) {
    return {
      ...commonOf(token, clientOwner),
      id,
      state: 'Current',
      keyID: status.keyID ?? '',
      issuedAt: seconds(status.issuedAt) ?? 0,
      expiration: seconds(status.expiration),
    };
  }
  const earlier = status.previous?.find((entry) => entry.id === id);
  if (earlier) {
    return {
      ...commonOf(token, clientOwner),
      id,
      state: 'Previous',
      keyID: earlier.keyID,
      issuedAt: secondsOf(earlier.issuedAt),
      expiration: secondsOf(earlier.expiration),
    };
  }
  if (nextTokenId(token) !== id) return undefined;
  return {
    ...commonOf(token, clientOwner),
    id,
    state: 'Next',
    keyID: '',
    issuedAt: 0,
    expiration: undefined,
  };
};

/** When the last of a Token's recorded JWTs expires; `never`, or undefined where there is none. Seconds since the Unix epoch. */
export const lastExpirationOf = ({ status }: Token): number | 'never' | undefined => {
  if (status?.id === undefined) return undefined;
  if (status.expiration === undefined) return 'never';
  const earlier = (status.previous ?? []).map(({ expiration }) => secondsOf(expiration));
  return Math.max(secondsOf(status.expiration), ...earlier);
};
