import { API_VERSION, MANAGED_BY_LABEL, MANAGER, type OwnerReference } from '../../api/meta.ts';
import { secondsOf } from '../../api/time.ts';
import type { Token, TokenStatus } from '../../api/token.ts';
import { SECRET_ANNOTATIONS, secretNameOf } from '../delivered-secret.ts';
import { heldText } from '../held-metadata.ts';
import { currentExpiration, nextTokenId } from './declared-token.ts';
import type { ObservedJwt, ObservedSecret, TokenObservation } from './token-observation.ts';

/**
 * The content of a Token's Secret: the one definition of which names the operator writes. The writer fills it, the observation looks
 * for the JWT in it, and what the operator has written beyond it is removed. So a new data key is a new member of `dataKeys`, and
 * a new annotation one of {@link SECRET_ANNOTATIONS}.
 */
export interface SecretContent {
  readonly name: string;
  /** The data key of each value. */
  readonly dataKeys: { readonly jwt: string };
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}

/** A value for each of a Secret's data keys; `jwt` is a JWS in compact serialization. */
export type SecretValues = Readonly<Record<keyof SecretContent['dataKeys'], string>>;

/** How to write a {@link SecretContent}. */
export type SecretWrite = SecretContent & {
  /** Names that the operator wrote earlier and that are not part of the content any more. */
  readonly drop: {
    readonly data: readonly string[];
    readonly labels: readonly string[];
    readonly annotations: readonly string[];
  };
  /** The Secret to replace, in exactly this version; undefined: create it. */
  readonly precondition: { readonly uid: string; readonly resourceVersion: string } | undefined;
  /** The Secret has to be read before the write, since some of its data stays, or metadata of others that is not held. */
  readonly readsFirst: boolean;
};

/** A Secret to remove. One that was not observed is read first, and left alone unless the Token owns it. */
export interface SecretRemoval {
  readonly name: string;
  readonly observed: { readonly uid: string; readonly resourceVersion: string } | undefined;
}

/** The data keys of the Secret that a Token asks for. */
export const dataKeysOf = ({ spec }: Token): SecretContent['dataKeys'] => ({
  jwt: spec.secret?.key ?? 'token',
});

/** `data` of a Secret that holds these values, in base64. */
export const encodeData = (
  dataKeys: SecretContent['dataKeys'],
  values: SecretValues,
): Record<string, string> => ({ [dataKeys.jwt]: Buffer.from(values.jwt).toString('base64') });

/** The Secret that a Token asks for, with the JWT of that status. Labels and annotations of the operator win over those of the spec. */
export const secretContentOf = (
  token: Token,
  status: Pick<TokenStatus, 'id' | 'clientUID' | 'lastHandledRenew'>,
): SecretContent => {
  const { labels = {}, annotations = {} } = token.spec.secret ?? {};
  const { [SECRET_ANNOTATIONS.renew]: _renew, ...others } = annotations;
  return {
    name: secretNameOf(token),
    dataKeys: dataKeysOf(token),
    labels: { ...labels, [MANAGED_BY_LABEL]: MANAGER },
    annotations: {
      ...others,
      [SECRET_ANNOTATIONS.tokenId]: status.id ?? '',
      [SECRET_ANNOTATIONS.clientUID]: status.clientUID ?? '',
      ...(status.lastHandledRenew !== undefined && { [SECRET_ANNOTATIONS.renew]: status.lastHandledRenew }),
    },
  };
};

/** The controller reference of a Token's Secret, without `blockOwnerDeletion` (spec §2.1). */
export const ownerReferenceTo = ({ metadata }: Token): OwnerReference => ({
  apiVersion: API_VERSION,
  kind: 'Token',
  name: metadata.name,
  uid: metadata.uid,
  controller: true,
});

/** The observed Secret with the name that the Token asks for, whoever owns it. */
export const secretInPlace = ({ token, secrets }: TokenObservation): ObservedSecret | undefined =>
  secrets.find(({ name }) => name === secretNameOf(token));

const includesAll = (
  actual: Readonly<Record<string, string>>,
  wanted: Readonly<Record<string, string>>,
): boolean =>
  Object.entries(wanted).every(([name, value]) => {
    const found = Object.hasOwn(actual, name) ? actual[name] : undefined;
    return found !== undefined && heldText(found) === heldText(value);
  });

const except = (names: readonly string[], kept: readonly string[]): string[] =>
  names.filter((name) => !kept.includes(name));

const leftoversOf = ({ fields }: ObservedSecret, content: SecretContent): SecretWrite['drop'] => ({
  data: except(fields.managedDataKeys, Object.values(content.dataKeys)),
  labels: except(fields.ownLabels, Object.keys(content.labels)),
  annotations: except(fields.ownAnnotations, Object.keys(content.annotations)),
});

const hasMetadata = (secret: ObservedSecret, content: SecretContent): boolean => {
  const { data, labels, annotations } = leftoversOf(secret, content);
  return (
    includesAll(secret.labels, content.labels) &&
    includesAll(secret.annotations, content.annotations) &&
    data.length + labels.length + annotations.length === 0
  );
};

const isCurrentJwt = ({ claims, kid }: ObservedJwt, token: Token): boolean => {
  const { id, keyID, issuedAt } = token.status ?? {};
  return (
    claims.jti === id &&
    kid === keyID &&
    claims.iat === (issuedAt === undefined ? undefined : secondsOf(issuedAt)) &&
    claims.exp === currentExpiration(token)
  );
};

/** What is wrong with a Secret: the JWT (`Content`), or only labels, annotations and leftovers (`Metadata`). */
export type SecretFault = 'Content' | 'Metadata' | undefined;

/**
 * What is wrong with a Secret that the Token owns. If its data was not read, `managedFields` decide: the JWT is taken to be there if
 * the operator wrote the data key last and the annotation names the current `jti` (docs/decisions/0004).
 */
export const findSecretFault = (token: Token, secret: ObservedSecret): SecretFault => {
  const status = token.status ?? {};
  const content = secretContentOf(token, status);
  const { jwt: dataKey } = content.dataKeys;
  const hasJwt = secret.jwts
    ? secret.jwts.some((jwt) => jwt.dataKey === dataKey && isCurrentJwt(jwt, token))
    : secret.fields.managedDataKeys.includes(dataKey) &&
      secret.annotations[SECRET_ANNOTATIONS.tokenId] === status.id;
  if (!hasJwt) return 'Content';
  return hasMetadata(secret, content) ? undefined : 'Metadata';
};

/** Whether a Secret's data has to be read: its metadata names the next JWT, or differs from what the operator wrote. */
export const needsContent = (token: Token, secret: ObservedSecret): boolean =>
  secret.owned &&
  secret.jwts === undefined &&
  (secret.annotations[SECRET_ANNOTATIONS.tokenId] === nextTokenId(token) ||
    (secret.name === secretNameOf(token) && findSecretFault(token, secret) !== undefined));

/** How to write a content over the Secret in place, with a new JWT or with the one that is there; data and metadata of other managers stay. */
export const planSecretWrite = (
  content: SecretContent,
  inPlace: ObservedSecret | undefined,
  hasNewJwt: boolean,
): SecretWrite => ({
  ...content,
  drop: inPlace ? leftoversOf(inPlace, content) : { data: [], labels: [], annotations: [] },
  precondition: inPlace && { uid: inPlace.uid, resourceVersion: inPlace.resourceVersion },
  readsFirst:
    inPlace !== undefined &&
    (!hasNewJwt ||
      inPlace.isReduced ||
      inPlace.jwts !== undefined ||
      inPlace.fields.dataOfOtherManagers.length > 0),
});

/** The removal of the Token's own Secrets other than `keep`: those that `spec.secret` no longer names, or all if undefined. */
export const planRemovals = (
  { token, secrets }: TokenObservation,
  keep: string | undefined,
): SecretRemoval[] => {
  const recorded = token.status?.secretRef?.name;
  const own = secrets.filter(
    (secret) =>
      secret.owned &&
      !secret.terminating &&
      secret.name !== keep &&
      (secret.annotations[SECRET_ANNOTATIONS.tokenId] !== undefined || secret.name === recorded),
  );
  const removals: SecretRemoval[] = own.map(({ name, uid, resourceVersion }) => ({
    name,
    observed: { uid, resourceVersion },
  }));
  const isUnobserved =
    recorded !== undefined && recorded !== keep && !secrets.some(({ name }) => name === recorded);
  return isUnobserved ? [...removals, { name: recorded, observed: undefined }] : removals;
};
