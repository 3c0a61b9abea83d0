import { type KubeObject, MANAGER, type ObjectRef } from '../api/meta.ts';
import type { ResourceClient, ResourceType } from '../ports/kube.ts';
import type { KubeClient } from './client.ts';
import { apiVersionOf, collectionPath, objectPath } from './resource-types.ts';

export interface ResourceClientOptions {
  /** Leaves `metadata.managedFields` in the answers; without, they are taken off. */
  readonly keepManagedFields?: boolean;
}

const CREATE = `fieldManager=${MANAGER}&fieldValidation=Strict`;
const WRITE = `fieldManager=${MANAGER}`;

/** The calls on one resource type, over `client` (a gated one for the writes of reconcilers). */
export const createResourceClient = <T extends KubeObject>(
  client: KubeClient,
  type: ResourceType,
  { keepManagedFields = false }: ResourceClientOptions = {},
): ResourceClient<T> => {
  const trim = keepManagedFields ? (object: T): T => object : withoutManagedFields<T>;
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
          query: CREATE,
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
