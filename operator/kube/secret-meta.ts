import { type KubeObject, MANAGED_BY_LABEL, MANAGER, type ManagedFieldsEntry } from '../api/meta.ts';
import { heldMetadata, heldText } from '../domain/held-metadata.ts';
import { SIGNING_KEY_LABEL } from '../domain/key/key-secrets.ts';
import { OWN_NAME_LABEL } from '../domain/own-mark.ts';
import { SECRET_ANNOTATIONS } from '../domain/token/declared-token.ts';
import type { SecretMeta } from '../ports/secrets.ts';

type Fields = Readonly<Record<string, unknown>>;

/** Where in `fieldsV1` the parts stand whose writers count. */
const PATHS = {
  data: ['f:data'],
  stringData: ['f:stringData'],
  labels: ['f:metadata', 'f:labels'],
  annotations: ['f:metadata', 'f:annotations'],
} as const;

/** Labels and annotations that plans look for whoever set them. */
const LABELS: readonly string[] = [MANAGED_BY_LABEL, OWN_NAME_LABEL, SIGNING_KEY_LABEL];
const ANNOTATIONS: readonly string[] = Object.values(SECRET_ANNOTATIONS);
/** What almost every Secret of a Token has, in memory once. */
const KNOWN_NAMES = new Map([...LABELS, ...ANNOTATIONS, 'token'].map((name) => [name, name]));
const known = (name: string): string => KNOWN_NAMES.get(name) ?? name;

/**
 * All metadata of a Secret, from the object or its PartialObjectMetadata. Who wrote which data key, label and annotation comes from
 * `managedFields` (server-side apply's FieldsV1), which name keys and never values. A key that we and others own
 * alike (server-side apply of an equal value) counts as ours; but one that others apply as `stringData` counts as theirs,
 * since that changes `data` without a trace in the ownership of `data`. A key without an owner shows nowhere, so a Secret
 * whose managedFields were emptied looks like one that we have not written.
 */
export const buildSecretMeta = (object: KubeObject): SecretMeta => {
  const { managedFields = [], ...metadata } = object.metadata;
  const own = managedFields.filter(({ manager }) => manager === MANAGER);
  const others = managedFields.filter(({ manager }) => manager !== MANAGER);
  const applied = ownedKeys(others, PATHS.stringData);
  const managedDataKeys = ownedKeys(own, PATHS.data).filter((key) => !applied.includes(key));
  const dataOfOtherManagers = [...new Set([...applied, ...ownedKeys(others, PATHS.data)])].sort();
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata,
    isReduced: false,
    fields: {
      managedDataKeys,
      dataOfOtherManagers: dataOfOtherManagers.filter((key) => !managedDataKeys.includes(key)),
      ownLabels: ownedKeys(own, PATHS.labels),
      ownAnnotations: ownedKeys(own, PATHS.annotations),
    },
  };
};

/** The field names below `path` that the entries own, sorted, each once. */
const ownedKeys = (entries: readonly ManagedFieldsEntry[], path: readonly string[]): string[] => {
  const keys = new Set<string>();
  for (const { fieldsV1 } of entries) {
    const fields = path.reduce<Fields | undefined>((at, name) => asFields(at?.[name]), fieldsV1);
    for (const field of Object.keys(fields ?? {})) {
      // `.` is the map itself; `f:<name>` one of its keys (structured-merge-diff, fieldpath/serialize-pe.go).
      if (field.startsWith('f:')) keys.add(known(field.slice(2)));
    }
  }
  return [...keys].sort();
};

const asFields = (value: unknown): Fields | undefined =>
  typeof value === 'object' && value !== null ? (value as Fields) : undefined;

/** A Token asks for at most 32 labels and 32 annotations; whoever writes as the operator's field manager may own more. */
const MAX_OWN_NAMES = 64;
/** Of the data keys of others it counts whether there are any. */
const MAX_OTHER_NAMES = 4;

type Texts = Readonly<Record<string, string>>;

/** The members with these names; the texts as caches hold them, `own` in memory once. */
const pick = (texts: Texts = {}, names: readonly string[], own: string): Texts =>
  Object.fromEntries(
    [...new Set(names)].flatMap((name) => {
      const text = Object.hasOwn(texts, name) ? texts[name] : undefined;
      return text === undefined ? [] : [[name, text === own ? own : heldText(text)]];
    }),
  );

const isSame = (held: Texts, texts: Texts = {}): boolean =>
  Object.entries(texts).every(([name, text]) => held[name] === text);

/**
 * What caches hold of a Secret: of its labels and annotations those that the operator wrote and those that plans look for, its
 * controller, and who wrote what. `isReduced` says that more is there, which a write has to read first to keep it.
 */
export const reduceSecretMeta = ({ apiVersion, kind, metadata, fields }: SecretMeta): SecretMeta => {
  const { labels, annotations, ownerReferences = [], finalizers = [] } = metadata;
  const ownLabels = fields.ownLabels.slice(0, MAX_OWN_NAMES);
  const ownAnnotations = fields.ownAnnotations.slice(0, MAX_OWN_NAMES);
  const held = {
    labels: pick(labels, [...LABELS, ...ownLabels], metadata.name),
    annotations: pick(annotations, [...ANNOTATIONS, ...ownAnnotations], metadata.name),
  };
  const controllers = ownerReferences.filter(({ controller }) => controller === true);
  const isWhole =
    isSame(held.labels, labels) &&
    isSame(held.annotations, annotations) &&
    controllers.length === ownerReferences.length &&
    finalizers.length === 0;
  return {
    apiVersion,
    kind,
    metadata: { ...heldMetadata(metadata), ...held, ownerReferences: controllers },
    isReduced: !isWhole,
    fields: {
      managedDataKeys: fields.managedDataKeys.slice(0, MAX_OWN_NAMES),
      dataOfOtherManagers: fields.dataOfOtherManagers.slice(0, MAX_OTHER_NAMES),
      ownLabels,
      ownAnnotations,
    },
  };
};

/** The {@link reduceSecretMeta | held part} of the metadata of a Secret, from the object or its PartialObjectMetadata. */
export const cachedSecretMetaOf = (object: KubeObject): SecretMeta =>
  reduceSecretMeta(buildSecretMeta(object));
