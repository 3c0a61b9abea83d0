import { findCondition } from '../../api/conditions.ts';
import { API_VERSION, type OwnerReference } from '../../api/meta.ts';
import type { Token } from '../../api/token.ts';
import { RECORD_INDEX } from '../../domain/record/token-record.ts';
import { clientKeyOf, nextTokenId, recordedIdsOf } from '../../domain/token/declared-token.ts';
import { secretNameOf } from '../../domain/token/secret-content.ts';
import type { Indexers } from '../../ports/cache.ts';
import type { SecretMeta } from '../../ports/secrets.ts';

/** Names of the indexes of the Token cache. */
export const TOKEN_INDEX = {
  /** By `<namespace>/<name>` of the OAuthClient. */
  client: 'client',
  /** By the kid of the current JWT. */
  kid: 'kid',
  /** By the kids of the current JWT and of the previous ones. */
  anyKid: 'anyKid',
  /** By the reasons of `Ready` and `Renewing`. */
  reason: 'reason',
  /** By the reason of `Ready`, which is `Issuing` before there is a status: every Token once. */
  state: 'state',
  /** By `<namespace>/<name>` of the Secret that the Token asks for. */
  secret: 'secret',
  namespace: 'namespace',
  ...RECORD_INDEX,
} as const;

const known = (...values: (string | undefined)[]): string[] => [
  ...new Set(values.filter((value) => value !== undefined)),
];

const idsOf = (token: Token): string[] => [...recordedIdsOf(token), nextTokenId(token)];

/** The index functions of the Token cache. */
export const TOKEN_INDEXERS: Indexers<Token> = {
  [TOKEN_INDEX.client]: (token) => [clientKeyOf(token)],
  [TOKEN_INDEX.kid]: ({ status }) => known(status?.keyID),
  [TOKEN_INDEX.anyKid]: ({ status }) =>
    known(status?.keyID, ...(status?.previous ?? []).map(({ keyID }) => keyID)),
  [TOKEN_INDEX.reason]: ({ status }) =>
    known(
      findCondition(status?.conditions, 'Ready')?.reason,
      findCondition(status?.conditions, 'Renewing')?.reason,
    ),
  [TOKEN_INDEX.state]: ({ status }) => [findCondition(status?.conditions, 'Ready')?.reason ?? 'Issuing'],
  [TOKEN_INDEX.secret]: (token) => [`${token.metadata.namespace}/${secretNameOf(token)}`],
  [TOKEN_INDEX.namespace]: ({ metadata }) => [metadata.namespace],
  [TOKEN_INDEX.id]: idsOf,
  [TOKEN_INDEX.owner]: ({ status }) => known(status?.owner),
};

/** Names of the indexes of the Secret cache. */
export const SECRET_INDEX = {
  /** By the uid of the Token that is the Secret's controller. */
  token: 'token',
} as const;

/** The controller reference of an object that a Token controls; undefined if none does. */
export const controllingToken = ({ metadata }: Pick<SecretMeta, 'metadata'>): OwnerReference | undefined =>
  metadata.ownerReferences?.find(
    ({ kind, apiVersion, controller }) =>
      controller === true && kind === 'Token' && apiVersion === API_VERSION,
  );

/** The index functions of the Secret cache. */
export const SECRET_INDEXERS: Indexers<SecretMeta> = {
  [SECRET_INDEX.token]: (secret) => known(controllingToken(secret)?.uid),
};
