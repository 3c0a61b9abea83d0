import type { KubeObject, ObjectMeta, ObjectRef } from '../api/meta.ts';
import type { Cacheable } from '../ports/cache.ts';
import type { DecodedClient } from '../ports/decoded-client.ts';
import { type CallOptions, getIfThere, type Preconditions } from '../ports/kube.ts';

/** The part of a ResourceClient that this needs. */
interface Calls<O extends KubeObject> {
  get(ref: ObjectRef, options: CallOptions): Promise<O>;
  updateStatus(
    object: {
      readonly metadata: Pick<ObjectMeta, 'name' | 'namespace' | 'uid' | 'resourceVersion'>;
      readonly status: unknown;
    },
    options: CallOptions,
  ): Promise<O>;
  delete(ref: ObjectRef, preconditions: Preconditions, options: CallOptions): Promise<void>;
}

/** Makes a {@link DecodedClient}. */
export const decodedClient = <O extends KubeObject, T extends Cacheable>(
  client: Calls<O>,
  decode: (object: O) => T,
): DecodedClient<T> => ({
  read: async (ref, signal) => {
    const found = await getIfThere(client, ref, signal);
    return found && decode(found);
  },
  writeStatus: async ({ metadata }, status, signal) => {
    const { name, namespace, uid, resourceVersion } = metadata;
    const answer = await client.updateStatus(
      { metadata: { name, namespace, uid, resourceVersion }, status },
      { signal },
    );
    return decode(answer);
  },
  delete: ({ metadata }, signal) => {
    const { uid, resourceVersion } = metadata;
    return client.delete(metadata, { uid, resourceVersion }, { signal });
  },
});
