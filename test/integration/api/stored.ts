import { bodyOf, type KubeObject, type Ref, type TestApi } from '../../support/api.ts';

/** Options of a write to the status. */
export const status = { subresource: 'status' } as const;

/** Creates an object under a new name, and writes its status if there is one to write; the object as stored. */
export const store = async (api: TestApi, object: Ref, value?: object): Promise<KubeObject> => {
  const { name: _, ...metadata } = object.metadata ?? {};
  const created = bodyOf(
    await api.create({ ...object, metadata: { ...metadata, generateName: 'stored-' } as never }),
  );
  return value ? bodyOf(await api.patch(created, 'merge', { status: value }, status)) : created;
};
