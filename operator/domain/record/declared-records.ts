import type { ObjectMeta } from '../../api/meta.ts';
import { secondsOf } from '../../api/time.ts';
import type { Token } from '../../api/token.ts';
import {
  clientKeyOf,
  isControlledBy,
  nextTokenId,
  SECRET_ANNOTATIONS,
  secretNameOf,
} from '../token/declared-token.ts';
import { blacklistedAtOf, type FoundRecord, type NextRecord } from './token-record.ts';

const NONE: readonly string[] = [];

/** What the records of all JWTs of a Token have in common. */
const identityOf = (token: Token, id: string) => {
  const { metadata, spec, status = {} } = token;
  const { namespace, name, uid } = metadata;
  return {
    id,
    origin: { kind: 'Token', namespace, name, uid },
    client: clientKeyOf(token),
    version: status.version ?? 0,
    name: spec.tokenName ?? name,
    blacklistedAt: blacklistedAtOf(token),
  } as const;
};

/** What the status says of the current JWT and of the previous ones alike. */
const contentOf = ({ status = {} }: Token) => ({
  subject: status.subject ?? '',
  clientID: status.clientID ?? '',
  clientUID: status.clientUID ?? '',
  audience: status.audience ?? NONE,
  scope: status.scope ?? NONE,
  originalTokenClaims: status.originalTokenClaims,
});

/**
 * The record of one JWT of a declared token; undefined if the Token has none of that id. `clientOwner` is the `spec.owner` of
 * its client, for a Token whose status names no owner yet.
 */
export const declaredRecordOf = (token: Token, id: string, clientOwner?: string): FoundRecord | undefined => {
  const { status = {} } = token;
  const tokenOwner = status.owner ?? clientOwner;
  if (status.id === id) {
    return {
      ...identityOf(token, id),
      ...contentOf(token),
      state: 'Current',
      owner: tokenOwner ?? '',
      keyID: status.keyID ?? '',
      issuedAt: status.issuedAt === undefined ? 0 : secondsOf(status.issuedAt),
      expiration: status.expiration === undefined ? undefined : secondsOf(status.expiration),
    };
  }
  const previous = status.previous?.find((entry) => entry.id === id);
  if (previous) {
    return {
      ...identityOf(token, id),
      ...contentOf(token),
      state: 'Previous',
      tokenOwner: tokenOwner ?? '',
      keyID: previous.keyID,
      issuedAt: secondsOf(previous.issuedAt),
      expiration: secondsOf(previous.expiration),
    };
  }
  if (nextTokenId(token) !== id) return undefined;
  return {
    ...identityOf(token, id),
    state: 'Next',
    tokenOwner,
    clientUID: status.clientUID,
    secretName: secretNameOf(token),
    expiration: undefined,
  };
};

/** The UID of the client for which the next JWT of a Token was issued, by the metadata of its Secret; undefined if that holds another JWT. */
export const clientOfDelivery = (
  { annotations = {}, ownerReferences }: Pick<ObjectMeta, 'annotations' | 'ownerReferences'>,
  { id, origin }: NextRecord,
): string | undefined =>
  annotations[SECRET_ANNOTATIONS.tokenId] === id && isControlledBy(origin.uid, ownerReferences)
    ? annotations[SECRET_ANNOTATIONS.clientUID]
    : undefined;

/** When the last of a Token's recorded JWTs expires, in seconds since the Unix epoch; undefined if there is none. */
export const lastExpirationOf = ({ status }: Token): number | 'never' | undefined => {
  if (status?.id === undefined) return undefined;
  if (status.expiration === undefined) return 'never';
  const previous = (status.previous ?? []).map(({ expiration }) => secondsOf(expiration));
  return Math.max(secondsOf(status.expiration), ...previous);
};
