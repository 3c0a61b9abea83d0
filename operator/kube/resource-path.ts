import { ApiError, type ResourceType } from '../ports/kube.ts';

/** `/api/v1/namespaces/<namespace>/<plural>`, or without the namespace: all of them. */
export const collectionPath = ({ group, version, plural }: ResourceType, namespace?: string): string => {
  const root = group === '' ? `/api/${version}` : `/apis/${group}/${version}`;
  return namespace ? `${root}/namespaces/${segment(namespace)}/${plural}` : `${root}/${plural}`;
};

/**
 * The path of one object; an empty namespace is none.
 * @throws ApiError 404 for a name that no object can have and that would lead to another path.
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
