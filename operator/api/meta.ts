/** The API group of every resource of this product (spec §2). */
export const GROUP = 'm2moauth.dev';
/** The version that is served and stored. */
export const VERSION = 'v1alpha1';
/** `apiVersion` of every resource of this product. */
export const API_VERSION = `${GROUP}/${VERSION}`;
/**
 * The operator's name in the cluster: the field manager of every write, the value of the managed-by label, and the name of the Lease
 * of its leader election, which the roles grant by that name.
 */
export const MANAGER = 'm2m-oauth-operator';
/** Label on every Secret and ConfigMap that the operator makes. Others set it too: it makes nothing the operator's (see domain/own-mark.ts). */
export const MANAGED_BY_LABEL = 'app.kubernetes.io/managed-by';

/** `metadata.ownerReferences[]`, as far as this product reads and writes it. */
export interface OwnerReference {
  readonly apiVersion: string;
  readonly kind: string;
  readonly name: string;
  readonly uid: string;
  readonly controller?: boolean;
  readonly blockOwnerDeletion?: boolean;
}

/** One entry of `metadata.managedFields` (server-side field ownership). */
export interface ManagedFieldsEntry {
  readonly manager?: string;
  readonly operation?: string;
  readonly subresource?: string;
  readonly time?: string;
  readonly fieldsV1?: Readonly<Record<string, unknown>>;
}

/** The part of Kubernetes' ObjectMeta that this product uses. Objects read from the API server carry all of the required ones. */
export interface ObjectMeta {
  readonly name: string;
  readonly namespace: string;
  readonly uid: string;
  readonly resourceVersion: string;
  readonly creationTimestamp: string;
  readonly generation?: number;
  readonly deletionTimestamp?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly ownerReferences?: readonly OwnerReference[];
  readonly finalizers?: readonly string[];
  readonly managedFields?: readonly ManagedFieldsEntry[];
}

/** What every object of the API server has. */
export interface KubeObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: ObjectMeta;
}

/** A value that nobody may change, all the way down: objects of the cache are frozen. */
export type Immutable<T> = T extends object ? { readonly [Key in keyof T]: Immutable<T[Key]> } : T;

/** A resource of this product: `spec` is the user's, `status` the operator's. */
export interface Resource<Kind extends string, Spec, Status> extends KubeObject {
  readonly kind: Kind;
  readonly spec: Spec;
  readonly status?: Status;
}

/** A name within a namespace. */
export interface ObjectRef {
  readonly namespace: string;
  readonly name: string;
}

/** The key of an object in caches and queues: `<namespace>/<name>`. */
export const keyOf = (ref: ObjectRef): string => `${ref.namespace}/${ref.name}`;

/** The key under which caches have an object: `namespace/name`, or the name where it has no namespace. */
export const cacheKeyOf = ({ metadata }: Pick<KubeObject, 'metadata'>): string =>
  metadata.namespace ? `${metadata.namespace}/${metadata.name}` : metadata.name;

/** Splits a key made by {@link keyOf}. */
export const refOf = (key: string): ObjectRef => {
  const slash = key.indexOf('/');
  return { namespace: key.slice(0, slash), name: key.slice(slash + 1) };
};

const DECIMAL = /^(?:0|[1-9][0-9]*)$/u;

/**
 * Compares two resourceVersions of one resource type: negative if `a` is older, 0 if they are equal, positive if `a` is newer. They are
 * decimal numbers of any length (KEP-5504, comparable resource versions); undefined if one of them is not.
 */
export const compareResourceVersions = (a: string, b: string): number | undefined => {
  if (a === b) return 0;
  if (!DECIMAL.test(a) || !DECIMAL.test(b)) return undefined;
  if (a.length !== b.length) return a.length - b.length;
  return a < b ? -1 : 1;
};

/** False also where they can't be compared. */
export const isOlder = (a: string, b: string): boolean => (compareResourceVersions(a, b) ?? 0) < 0;

/** A Kubernetes condition, after `metav1.Condition`. */
export interface Condition {
  readonly type: string;
  readonly status: 'True' | 'False' | 'Unknown';
  readonly reason: string;
  readonly message: string;
  readonly lastTransitionTime: string;
  readonly observedGeneration?: number | undefined;
}

/** A condition as a plan states it; {@link setCondition} adds the times. */
export type ConditionUpdate = Pick<Condition, 'type' | 'status' | 'reason' | 'message'>;

/** The condition of that type, if there is one. */
export const findCondition = (
  conditions: readonly Condition[] | undefined,
  type: string,
): Condition | undefined => conditions?.find((condition) => condition.type === type);

/**
 * Sets a condition: `lastTransitionTime` changes only when `status` does
 * (Kubernetes API conventions, "Typical status properties"). Returns a new list, sorted by type,
 * so that an unchanged condition yields an equal list.
 */
export const setCondition = (
  conditions: readonly Condition[] | undefined,
  result: ConditionUpdate,
  at: { readonly now: string; readonly observedGeneration: number },
): Condition[] => {
  const before = findCondition(conditions, result.type);
  const lastTransitionTime = before && before.status === result.status ? before.lastTransitionTime : at.now;
  const next: Condition = { ...result, lastTransitionTime, observedGeneration: at.observedGeneration };
  const others = (conditions ?? []).filter((condition) => condition.type !== result.type);
  return [...others, next].sort((a, b) => (a.type < b.type ? -1 : 1));
};

/** The conditions without the one of that type. */
export const removeCondition = (conditions: readonly Condition[] | undefined, type: string): Condition[] =>
  (conditions ?? []).filter((condition) => condition.type !== type);
