import { GROUP, type KubeObject, MANAGER, type ObjectRef, VERSION } from '../api/meta.ts';
import { ApiError, type ResourceClient, type ResourceType } from '../ports/kube.ts';
import type { KubeClient } from './client.ts';

export interface ResourceClientOptions<T> {
  /** Leaves `metadata.managedFields` in the answers; without, they are taken off. */
  readonly keepManagedFields?: boolean;
  /** What caches hold of an object, which the answers are put into. Absent: all of it. */
  readonly decode?: (object: T) => T;
}

const CREATE = `fieldManager=${MANAGER}&fieldValidation=Strict`;
const WRITE = `fieldManager=${MANAGER}`;

/** The calls on one resource type, over `client` (a gated one for the writes of reconcilers). */
export const createResourceClient = <T extends KubeObject>(
  client: KubeClient,
  type: ResourceType,
  { keepManagedFields = false, decode }: ResourceClientOptions<T> = {},
): ResourceClient<T> => {
  const trim = decode ?? (keepManagedFields ? (object: T): T => object : withoutManagedFields<T>);
  const pathOf = (object: { readonly metadata: ObjectRef }): string => objectPath(type, object.metadata);
  return {
    type,
    get: async (ref, options) =>
      trim(await client.request<T>({ verb: 'get', path: objectPath(type, ref), signal: options?.signal })),
    create: async (object, options) =>
      trim(
        await client.request<T>({
          verb: 'create',
          path: collectionPath(type, object.metadata.namespace),
          query: options?.dryRun ? `${CREATE}&dryRun=All` : CREATE,
          body: object,
          signal: options?.signal,
        }),
      ),
    update: async (object, options) =>
      trim(
        await client.request<T>({
          verb: 'update',
          path: pathOf(object),
          query: WRITE,
          body: object,
          signal: options?.signal,
        }),
      ),
    updateStatus: async (object, options) =>
      trim(
        await client.request<T>({
          verb: 'update',
          path: `${pathOf(object)}/status`,
          query: WRITE,
          body: { apiVersion: apiVersionOf(type), kind: type.kind, ...object },
          signal: options?.signal,
        }),
      ),
    delete: async (ref, preconditions, options) => {
      await client.request({
        verb: 'delete',
        path: objectPath(type, ref),
        body: {
          apiVersion: 'v1',
          kind: 'DeleteOptions',
          preconditions: { uid: preconditions.uid, resourceVersion: preconditions.resourceVersion },
          propagationPolicy: 'Background',
        },
        signal: options?.signal,
      });
    },
  };
};

/** The object without `metadata.managedFields`, which are half of its bytes and say nothing to a reconciler. Changes the object that it is given. */
export const withoutManagedFields = <T extends KubeObject>(object: T): T => {
  delete (object.metadata as { managedFields?: unknown }).managedFields;
  return object;
};

const namespacedIn =
  (group: string, version: string) =>
  (plural: string, kind: string): ResourceType => ({ group, version, plural, kind, namespaced: true });
const own = namespacedIn(GROUP, VERSION);
const core = namespacedIn('', 'v1');

/** Declared tokens (spec §2.1). */
export const TOKENS = own('tokens', 'Token');
/** Records of issued tokens, one per object (spec §2.2). */
export const ISSUED_TOKENS = own('issuedtokens', 'IssuedToken');
/** Records of issued tokens, up to 256 per object (spec §2.3). */
export const TOKEN_BATCHES = own('tokenbatches', 'TokenBatch');
/** Spec §2.4. */
export const OAUTH_CLIENTS = own('oauthclients', 'OAuthClient');
/** Spec §2.5. */
export const SIGNING_KEYS = own('signingkeys', 'SigningKey');
export const SECRETS = core('secrets', 'Secret');
export const CONFIG_MAPS = core('configmaps', 'ConfigMap');
export const NAMESPACES: ResourceType = { ...core('namespaces', 'Namespace'), namespaced: false };
export const EVENTS = namespacedIn('events.k8s.io', 'v1')('events', 'Event');
export const LEASES = namespacedIn('coordination.k8s.io', 'v1')('leases', 'Lease');

/** `apiVersion` of a type's objects. */
export const apiVersionOf = ({ group, version }: ResourceType): string =>
  group === '' ? version : `${group}/${version}`;

/** The path of a namespace's collection, `/api/v1/namespaces/<namespace>/<plural>`, or without a namespace that of all namespaces. */
export const collectionPath = ({ group, version, plural }: ResourceType, namespace?: string): string => {
  const root = group === '' ? `/api/${version}` : `/apis/${group}/${version}`;
  return namespace ? `${root}/namespaces/${segment(namespace)}/${plural}` : `${root}/${plural}`;
};

/**
 * The path of one object; an empty namespace is omitted.
 * @throws ApiError 404 for a name that no object can have and that would result in another path
 */
export const objectPath = (
  type: ResourceType,
  ref: { readonly namespace: string; readonly name: string },
): string => `${collectionPath(type, ref.namespace)}/${segment(ref.name)}`;

const segment = (name: string): string => {
  if (name === '' || name === '.' || name === '..') {
    throw new ApiError('no object can have that name', { status: 404, reason: 'NotFound' });
  }
  return encodeURIComponent(name);
};
