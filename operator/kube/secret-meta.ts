import { type KubeObject, MANAGER, type ManagedFieldsEntry } from '../api/meta.ts';
import type { SecretMeta } from '../ports/secrets.ts';

type Fields = Readonly<Record<string, unknown>>;

/** Where in `fieldsV1` the parts stand whose writers count. */
const PATHS = {
  data: ['f:data'],
  stringData: ['f:stringData'],
  labels: ['f:metadata', 'f:labels'],
  annotations: ['f:metadata', 'f:annotations'],
} as const;

/**
 * What is kept of a Secret, from its PartialObjectMetadata. Who wrote which data key, label and annotation comes from
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
  const ownData = ownedKeys(own, PATHS.data).filter((key) => !applied.includes(key));
  const dataOfOtherManagers = [...new Set([...applied, ...ownedKeys(others, PATHS.data)])].sort();
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata,
    fields: {
      ownData,
      dataOfOtherManagers: dataOfOtherManagers.filter((key) => !ownData.includes(key)),
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
      if (field.startsWith('f:')) keys.add(field.slice(2));
    }
  }
  return [...keys].sort();
};

const asFields = (value: unknown): Fields | undefined =>
  typeof value === 'object' && value !== null ? (value as Fields) : undefined;
