import { API_VERSION, MANAGED_BY_LABEL, MANAGER, type OwnerReference } from '../../api/meta.ts';
import type { Token, TokenStatus } from '../../api/token.ts';
import { RENEW_REQUEST } from '../annotation-request.ts';
import { secondsOf } from '../timestamps.ts';
import type { ObservedJwt, ObservedSecret, TokenObservation } from './token-observation.ts';

/** Annotation of a Token's Secret: the `jti` of the JWT in it. */
const TOKEN_ID_ANNOTATION = 'm2moauth.dev/token-id';
/** Annotation of a Token's Secret: the uid of the OAuthClient that the JWT in it was made for. */
export const CLIENT_UID_ANNOTATION = 'm2moauth.dev/client-uid';

/** The data key of the JWT where `spec.secret.key` is absent. */
const DEFAULT_KEY = 'token';

/** A Token's Secret as its spec and an issuance ask for it, but for the JWT. */
export interface WantedSecret {
  readonly name: string;
  readonly dataKey: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}

/** How to write a {@link WantedSecret}. */
export type SecretWrite = WantedSecret & {
  /** Ours that are no longer wanted; what others have put there stays. */
  readonly drop: {
    readonly data: readonly string[];
    readonly labels: readonly string[];
    readonly annotations: readonly string[];
  };
  /** Condition of the write: absent, or exactly this object. */
  readonly over: { readonly uid: string; readonly resourceVersion: string } | undefined;
  /** The content has to be read first, since there is something in it to be kept. */
  readonly keepsContent: boolean;
};

/** A Secret to be removed. One that was not observed is looked up first, and left alone unless the Token owns it. */
export interface SecretRemoval {
  readonly name: string;
  readonly observed: { readonly uid: string; readonly resourceVersion: string } | undefined;
}

/** What an issuance writes beside the JWT. */
export type IssuanceMarks = Pick<TokenStatus, 'id' | 'clientUID' | 'lastHandledRenew'>;

/** The name of the Secret that a Token asks for. */
export const secretNameOf = ({ metadata, spec }: Token): string => spec.secret?.name ?? metadata.name;

/** The data key that a Token asks for. */
export const dataKeyOf = ({ spec }: Token): string => spec.secret?.key ?? DEFAULT_KEY;

/** The Secret that a Token asks for; labels and annotations of the operator win over those of the spec. */
export const wantedSecret = (token: Token, marks: IssuanceMarks): WantedSecret => {
  const { labels = {}, annotations = {} } = token.spec.secret ?? {};
  const { [RENEW_REQUEST.annotation]: _renew, ...others } = annotations;
  return {
    name: secretNameOf(token),
    dataKey: dataKeyOf(token),
    labels: { ...labels, [MANAGED_BY_LABEL]: MANAGER },
    annotations: {
      ...others,
      [TOKEN_ID_ANNOTATION]: marks.id ?? '',
      [CLIENT_UID_ANNOTATION]: marks.clientUID ?? '',
      ...(marks.lastHandledRenew !== undefined && { [RENEW_REQUEST.annotation]: marks.lastHandledRenew }),
    },
  };
};

/** The owner reference by which a Secret is the Token's: controller, and never in the way of a foreground deletion. */
export const ownerReferenceTo = ({ metadata }: Token): OwnerReference => ({
  apiVersion: API_VERSION,
  kind: 'Token',
  name: metadata.name,
  uid: metadata.uid,
  controller: true,
});

/** Whether the Token is the controller of an object with these owner references. */
export const isOwnedBy = (uid: string, references: readonly OwnerReference[] | undefined): boolean =>
  (references ?? []).some((reference) => reference.uid === uid && reference.controller === true);

/** The Secret at the name that the Token asks for, if there is one. */
export const secretInPlace = ({ token, secrets }: TokenObservation): ObservedSecret | undefined =>
  secrets.find(({ name }) => name === secretNameOf(token));

const hasAll = (have: Readonly<Record<string, string>>, want: Readonly<Record<string, string>>): boolean =>
  Object.entries(want).every(([name, value]) => have[name] === value);

const leftovers = (own: readonly string[], wanted: readonly string[]): string[] =>
  own.filter((name) => !wanted.includes(name));

const leftoversOf = ({ fields }: ObservedSecret, wanted: WantedSecret): SecretWrite['drop'] => ({
  data: leftovers(fields.ownData, [wanted.dataKey]),
  labels: leftovers(fields.ownLabels, Object.keys(wanted.labels)),
  annotations: leftovers(fields.ownAnnotations, Object.keys(wanted.annotations)),
});

const hasMetadata = (secret: ObservedSecret, wanted: WantedSecret): boolean => {
  const { data, labels, annotations } = leftoversOf(secret, wanted);
  return (
    hasAll(secret.labels, wanted.labels) &&
    hasAll(secret.annotations, wanted.annotations) &&
    data.length + labels.length + annotations.length === 0
  );
};

/** Whether a JWT is the issuance that a status tells of. */
const isCurrentJwt = ({ claims, kid }: ObservedJwt, status: TokenStatus): boolean =>
  claims.jti === status.id &&
  kid === status.keyID &&
  claims.iat === (status.issuedAt === undefined ? undefined : secondsOf(status.issuedAt)) &&
  claims.exp === (status.expiration === undefined ? undefined : secondsOf(status.expiration));

/** What a Secret in place lacks: the JWT (`Content`), only labels, annotations or order (`Dress`), or nothing. */
export type SecretFault = 'Content' | 'Metadata' | undefined;

/**
 * What is wrong with the Token's own Secret. Without its content, field ownership has to tell: the data key was last
 * written by this operator and the annotation names the current issuance (docs/decisions/0004).
 */
export const findSecretFault = (token: Token, secret: ObservedSecret): SecretFault => {
  const status = token.status ?? {};
  const wanted = wantedSecret(token, status);
  const isJwtThere = secret.jwts
    ? secret.jwts.some((jwt) => jwt.dataKey === wanted.dataKey && isCurrentJwt(jwt, status))
    : secret.fields.ownData.includes(wanted.dataKey) && secret.annotations[TOKEN_ID_ANNOTATION] === status.id;
  if (!isJwtThere) return 'Content';
  return hasMetadata(secret, wanted) ? undefined : 'Metadata';
};

/** Whether a Secret's metadata leaves a doubt that only its content can settle: it may hold the next issuance, or not the current one. */
export const needsContent = (token: Token, secret: ObservedSecret, nextId: string): boolean =>
  secret.owned &&
  secret.jwts === undefined &&
  (secret.annotations[TOKEN_ID_ANNOTATION] === nextId ||
    (secret.name === secretNameOf(token) && findSecretFault(token, secret) !== undefined));

/** How to write a wanted Secret over what is in place, with a new JWT or the one that is there; nothing of others is lost. */
export const planSecretWrite = (
  wanted: WantedSecret,
  inPlace: ObservedSecret | undefined,
  hasNewJwt: boolean,
): SecretWrite => ({
  ...wanted,
  drop: inPlace ? leftoversOf(inPlace, wanted) : { data: [], labels: [], annotations: [] },
  over: inPlace && { uid: inPlace.uid, resourceVersion: inPlace.resourceVersion },
  keepsContent:
    inPlace !== undefined &&
    (!hasNewJwt || inPlace.jwts !== undefined || inPlace.fields.dataOfOtherManagers.length > 0),
});

/** The Token's own Secrets that are not at `keep`: places that it has left, or all of them. */
export const planRemovals = (
  { token, secrets }: TokenObservation,
  keep: string | undefined,
): SecretRemoval[] => {
  const named = token.status?.secretRef?.name;
  const own = secrets.filter(
    (secret) =>
      secret.owned &&
      !secret.terminating &&
      secret.name !== keep &&
      (secret.annotations[TOKEN_ID_ANNOTATION] !== undefined || secret.name === named),
  );
  const removals: SecretRemoval[] = own.map(({ name, uid, resourceVersion }) => ({
    name,
    observed: { uid, resourceVersion },
  }));
  const isUnseen = named !== undefined && named !== keep && !secrets.some(({ name }) => name === named);
  return isUnseen ? [...removals, { name: named, observed: undefined }] : removals;
};
