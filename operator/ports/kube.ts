import type { KubeObject, ObjectMeta, ObjectRef } from '../api/meta.ts';

/** A resource type as the API server's paths name it. */
export interface ResourceType {
  /** '' for the core group. */
  readonly group: string;
  readonly version: string;
  readonly plural: string;
  readonly kind: string;
  /** False for a cluster-scoped type, whose objects are keyed by their names alone. */
  readonly namespaced: boolean;
}

export interface CallOptions {
  readonly signal?: AbortSignal;
}

/** What a conditional delete insists on (both: "delete with uid and resourceVersion"). */
export interface Preconditions {
  readonly uid: string;
  readonly resourceVersion: string;
}

/** An object to be created: the API server fills in the rest of its metadata. */
export type NewObject<T extends KubeObject> = Omit<T, 'metadata' | 'status'> & {
  readonly metadata: Pick<ObjectMeta, 'name' | 'namespace'> &
    Partial<Pick<ObjectMeta, 'labels' | 'annotations' | 'ownerReferences'>>;
};

/** An object to be written over one that was read: `uid` and `resourceVersion` are the condition (a mismatch is a 409 ApiError). */
export type ChangedObject<T extends KubeObject> = Omit<T, 'metadata'> & {
  readonly metadata: Pick<ObjectMeta, 'name' | 'namespace' | 'uid' | 'resourceVersion'> &
    Partial<Pick<ObjectMeta, 'labels' | 'annotations' | 'ownerReferences' | 'finalizers'>>;
};

/** The calls on one resource type; every failure is an {@link ApiError}. */
export interface ResourceClient<T extends KubeObject> {
  readonly type: ResourceType;
  get(ref: ObjectRef, options?: CallOptions): Promise<T>;
  /**
   * POST with `fieldValidation=Strict` and our field manager. 409 AlreadyExists where it is there. With `dryRun` admission and validation run,
   * and nothing is stored.
   */
  create(object: NewObject<T>, options?: CallOptions & { readonly dryRun?: boolean }): Promise<T>;
  /** PUT, conditional on uid and resourceVersion. */
  update(object: ChangedObject<T>, options?: CallOptions): Promise<T>;
  /** PUT of `/status`, conditional on uid and resourceVersion; everything but status is ignored by the API server. */
  updateStatus(
    object: { readonly metadata: ChangedObject<T>['metadata']; readonly status: unknown },
    options?: CallOptions,
  ): Promise<T>;
  /** DELETE with both preconditions; background propagation. */
  delete(ref: ObjectRef, preconditions: Preconditions, options?: CallOptions): Promise<void>;
}

/** {@link ApiError.reason} where a ResourceQuota has no room left; the API server itself says `Forbidden`. */
export const EXCEEDED_QUOTA = 'ExceededQuota';

/** A rejection by the API server, or no answer (`status` 0). Never carries a request or response body. */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  /** HTTP status; 0 where the API server did not answer. */
  readonly status: number;
  /** `Status.reason` of the answer, e.g. `Conflict`, `AlreadyExists`, `Expired`; `''` where there is none. */
  readonly reason: string;
  /** From `Retry-After` or `details.retryAfterSeconds`. */
  readonly retryAfterMs: number | undefined;

  constructor(
    message: string,
    details: { status: number; reason?: string; retryAfterMs?: number | undefined; cause?: unknown },
  ) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.status = details.status;
    this.reason = details.reason ?? '';
    this.retryAfterMs = details.retryAfterMs;
  }
}

const hasStatus = (error: unknown, status: number): error is ApiError =>
  error instanceof ApiError && error.status === status;

/** The object is not there. */
export const isNotFound = (error: unknown): error is ApiError => hasStatus(error, 404);
/** The object as it is now; undefined where there is none. @throws ApiError for any other failure */
export const getIfThere = async <T extends KubeObject>(
  client: { get(ref: ObjectRef, options: CallOptions): Promise<T> },
  ref: ObjectRef,
  signal: AbortSignal,
): Promise<T | undefined> => {
  try {
    return await client.get(ref, { signal });
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
};
/** Waits for a conditional delete: true if it deleted the object, false if there was none. @throws ApiError for any other failure */
export const deleteIfPresent = async (deletion: Promise<void>): Promise<boolean> => {
  try {
    await deletion;
    return true;
  } catch (error) {
    if (isNotFound(error)) return false;
    throw error;
  }
};
/** The object to create in the place of one that is deleted because nobody can change it: with the same content, and not immutable. */
const successorOf = <T extends KubeObject>({ metadata, ...rest }: ChangedObject<T>): NewObject<T> => {
  const { name, namespace, labels, annotations, ownerReferences } = metadata;
  const { immutable: _, ...content } = rest as typeof rest & { readonly immutable?: boolean };
  const kept = {
    ...(labels && { labels }),
    ...(annotations && { annotations }),
    ...(ownerReferences && { ownerReferences }),
  };
  return { ...content, metadata: { name, namespace, ...kept } } as unknown as NewObject<T>;
};
/**
 * Deletes an immutable object, in exactly the version that `changed` was made from, once a dry run has shown that admission lets its
 * successor pass: an object of that name (409) is found after admission only.
 * @returns the successor, to be created
 * @throws ApiError of the dry run, with the object left alone, and on a conflict
 */
export const deleteForSuccessor = async <T extends KubeObject>(
  client: Pick<ResourceClient<T>, 'create' | 'delete'>,
  changed: ChangedObject<T>,
  signal: AbortSignal,
): Promise<NewObject<T>> => {
  const successor = successorOf(changed);
  await client.create(successor, { signal, dryRun: true }).catch((error: unknown) => {
    if (!isAlreadyExists(error)) throw error;
  });
  const { uid, resourceVersion } = changed.metadata;
  await deleteIfPresent(client.delete(changed.metadata, { uid, resourceVersion }, { signal }));
  return successor;
};
/** Status and reason, e.g. `403 Forbidden`. */
export const answerOf = ({ status, reason }: ApiError): string =>
  reason === '' ? `${status}` : `${status} ${reason}`;
/** For a condition: the API server rejects a Secret, and what a user can do about it. */
export const secretRejection = (error: ApiError, secret: string): string =>
  `the API server rejects ${secret} (${answerOf(error)}): check the quotas and admission policies of the namespace`;
/** A create found an object of that name. */
export const isAlreadyExists = (error: unknown): error is ApiError =>
  hasStatus(error, 409) && error.reason === 'AlreadyExists';
/** The object is not what the plan was made from: plan again. */
export const isConflict = (error: unknown): error is ApiError =>
  hasStatus(error, 409) && error.reason !== 'AlreadyExists';
/** The resourceVersion asked for is compacted: list again. */
export const isExpired = (error: unknown): error is ApiError => hasStatus(error, 410);
/** {@link ApiError.reason} of a watch or list at a resourceVersion that the API server has not come to; the API server itself says `Timeout`. */
export const RESOURCE_VERSION_TOO_LARGE = 'ResourceVersionTooLarge';
/** The resourceVersion asked for is one that the API server has not come to (504): it lags, or was put back to an earlier state. */
export const isVersionTooLarge = (error: unknown): error is ApiError =>
  error instanceof ApiError && error.reason === RESOURCE_VERSION_TOO_LARGE;
/** RBAC, an admission policy or a quota forbids it. */
export const isForbidden = (error: unknown): error is ApiError => hasStatus(error, 403);
/** A quota, an admission policy or validation rejected the object itself (400, 403 or 422): only another object or another policy helps. */
export const isRejected = (error: unknown): error is ApiError =>
  hasStatus(error, 403) || hasStatus(error, 422) || hasStatus(error, 400);
/** Validation rejects the object, or the change of one that is immutable. */
export const isInvalid = (error: unknown): error is ApiError => hasStatus(error, 422);
/** A ResourceQuota has no room for the object. */
export const isOverQuota = (error: unknown): error is ApiError =>
  hasStatus(error, 403) && error.reason === EXCEEDED_QUOTA;
/** The object is larger than the API server takes (RFC 9110 §15.5.14). */
export const isTooLarge = (error: unknown): error is ApiError => hasStatus(error, 413);
