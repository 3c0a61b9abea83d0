import type { OwnerReference } from '../../api/meta.ts';
import type { Token, TokenStatus } from '../../api/token.ts';
import { controllerReferenceTo, isNoCopy, type MadeFor, ownAnnotationsOf, ownLabelsOf } from '../own-mark.ts';
import { SECRET_ANNOTATIONS, secretNameOf } from './declared-token.ts';
import type { ObservedSecret, TokenObservation } from './token-observation.ts';

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

/** A Secret to remove. One that was not observed is read first, and left alone unless the Token owns it under that name. */
export interface SecretRemoval {
  readonly name: string;
  readonly observed: { readonly uid: string; readonly resourceVersion: string } | undefined;
}

/** For which resource a Token's Secret is made. */
export const madeForToken = ({ name }: { readonly name: string }): MadeFor => ({ kind: 'Token', name });

/** The data keys of the Secret that a Token asks for. */
export const dataKeysOf = ({ spec }: Token): SecretContent['dataKeys'] => ({
  jwt: spec.secret?.key ?? DEFAULT_DATA_KEY,
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
  const { [SECRET_ANNOTATIONS.renew]: _renew, [SECRET_ANNOTATIONS.wrote]: _wrote, ...others } = annotations;
  const name = secretNameOf(token);
  return {
    name,
    dataKeys: dataKeysOf(token),
    labels: { ...labels, ...ownLabelsOf(name) },
    annotations: {
      ...others,
      ...wroteAnnotation({ labels, annotations: others, dataKey: dataKeysOf(token).jwt }),
      ...ownAnnotationsOf(name, madeForToken(token.metadata)),
      [SECRET_ANNOTATIONS.tokenId]: status.id ?? '',
      [SECRET_ANNOTATIONS.clientUID]: status.clientUID ?? '',
      ...(status.lastHandledRenew !== undefined && { [SECRET_ANNOTATIONS.renew]: status.lastHandledRenew }),
    },
  };
};

/** The controller reference of a Token's Secret. */
export const ownerReferenceTo = (token: Token): OwnerReference =>
  controllerReferenceTo(madeForToken(token.metadata), token.metadata.uid);

/** The observed Secret with the name that the Token asks for, whoever owns it. */
export const secretInPlace = ({ token, secrets }: TokenObservation): ObservedSecret | undefined =>
  secrets.find(({ name }) => name === secretNameOf(token));

const except = (names: readonly string[], kept: readonly string[]): string[] =>
  names.filter((name) => !kept.includes(name));

const OWN_ANNOTATIONS: readonly string[] = Object.values(SECRET_ANNOTATIONS);

/**
 * What the operator wrote to a Secret and does not write any more. What a policy adds to the operator's writes, or others had in an
 * immutable Secret that was created again, is the operator's too by `managedFields`: only names that the Secret records count, and all
 * of them in one of an earlier version, which records none.
 */
export const leftoversOf = (
  { fields, marking, annotations }: ObservedSecret,
  content: SecretContent,
): SecretWrite['drop'] => {
  const isRecorded = marking === 'Own' || marking === 'Partial';
  const names = readWrittenNames(annotations[SECRET_ANNOTATIONS.wrote]);
  const wrote = (own: readonly string[], recorded: readonly string[]): readonly string[] =>
    isRecorded ? own.filter((name) => recorded.includes(name)) : own;
  const ownAnnotations = wrote(fields.ownAnnotations, [...names.annotations, ...OWN_ANNOTATIONS]);
  return {
    data: except(wrote(fields.managedDataKeys, names.data), Object.values(content.dataKeys)),
    labels: except(wrote(fields.ownLabels, names.labels), Object.keys(content.labels)),
    annotations: except(ownAnnotations, Object.keys(content.annotations)),
  };
};

/** How to write a content over the Secret in place, with a new JWT or with the one that is there; data and metadata of other managers stay. */
export const planSecretWrite = (
  content: SecretContent,
  inPlace: ObservedSecret | undefined,
  hasNewJwt: boolean,
): SecretWrite => {
  if (inPlace === undefined) {
    const drop = { data: [], labels: [], annotations: [] };
    return { ...content, drop, precondition: undefined, readsFirst: false };
  }
  const { uid, resourceVersion, isReduced, jwts, fields } = inPlace;
  const drop = leftoversOf(inPlace, content);
  const replaced = [...Object.values(content.dataKeys), ...drop.data];
  const hasOtherData =
    fields.dataOfOtherManagers.length > 0 || except(fields.managedDataKeys, replaced).length > 0;
  const readsFirst = !hasNewJwt || isReduced || jwts !== undefined || hasOtherData;
  return { ...content, drop, precondition: { uid, resourceVersion }, readsFirst };
};

/** Whether the Token's Secret was made under its own name: a copy has the owner reference and the annotations of the original too. */
const isMadeAs = ({ name, marking, annotations }: ObservedSecret, token: Token): boolean => {
  if (marking === 'Own' || marking === 'Partial') return true;
  const isWritten = name === secretNameOf(token) && annotations[SECRET_ANNOTATIONS.tokenId] !== undefined;
  return isNoCopy(marking) && (isWritten || name === token.status?.secretRef?.name);
};

/** The removal of the Token's own Secrets other than `keep`: those that `spec.secret` no longer names, or all if undefined. */
export const planRemovals = (
  { token, secrets }: TokenObservation,
  keep: string | undefined,
): SecretRemoval[] => {
  const recorded = token.status?.secretRef?.name;
  const own = secrets.filter(
    (secret) => secret.owned && !secret.terminating && secret.name !== keep && isMadeAs(secret, token),
  );
  const removals: SecretRemoval[] = own.map(({ name, uid, resourceVersion }) => ({
    name,
    observed: { uid, resourceVersion },
  }));
  const isUnobserved =
    recorded !== undefined && recorded !== keep && !secrets.some(({ name }) => name === recorded);
  return isUnobserved ? [...removals, { name: recorded, observed: undefined }] : removals;
};

/** The data key of the JWT if `spec.secret.key` is absent. */
const DEFAULT_DATA_KEY = 'token';

/** The names in a Secret that follow from `spec.secret`, as the annotation {@link SECRET_ANNOTATIONS.wrote} records them. */
interface WrittenNames {
  readonly data: readonly string[];
  readonly labels: readonly string[];
  readonly annotations: readonly string[];
}

const NONE: readonly string[] = [];
/** Those of a Secret without the annotation. */
const DEFAULT_NAMES: WrittenNames = { data: [DEFAULT_DATA_KEY], labels: NONE, annotations: NONE };

/** What a spec asks for. */
interface Asked {
  readonly dataKey: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}

/** The annotation with the names that a spec asks for; none where these are the default. */
const wroteAnnotation = ({ dataKey, labels, annotations }: Asked): Readonly<Record<string, string>> => {
  const names: WrittenNames = {
    data: [dataKey],
    labels: Object.keys(labels).sort(),
    annotations: Object.keys(annotations).sort(),
  };
  const text = JSON.stringify(names);
  return text === JSON.stringify(DEFAULT_NAMES) ? {} : { [SECRET_ANNOTATIONS.wrote]: text };
};

const textsIn = (value: unknown): readonly string[] =>
  Array.isArray(value) ? value.filter((item) => typeof item === 'string') : NONE;

/** Reads the annotation; none, for one that is no JSON: a digest, which differs from the wanted one, so that the Secret is read first. */
const readWrittenNames = (text: string | undefined): WrittenNames => {
  if (text === undefined) return DEFAULT_NAMES;
  try {
    const names = JSON.parse(text) as Partial<WrittenNames> | null;
    return {
      data: textsIn(names?.data),
      labels: textsIn(names?.labels),
      annotations: textsIn(names?.annotations),
    };
  } catch {
    return { data: NONE, labels: NONE, annotations: NONE };
  }
};
