import type { KubeObject, ObjectRef } from '../api/meta.ts';
import { isNotFound } from '../ports/kube.ts';
import type { SecretMeta } from '../ports/secrets.ts';
import type { KubeClient } from './client.ts';
import { objectPath, SECRETS } from './resource-client.ts';
import { cachedSecretMetaOf } from './secret-meta.ts';

const METADATA_ONLY = 'application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json';

/** Makes a function that reads what caches hold of a Secret, without its content; undefined if there is none. @throws ApiError */
export const readSecretMetaOf =
  (client: KubeClient) =>
  async (ref: ObjectRef, signal: AbortSignal): Promise<SecretMeta | undefined> => {
    try {
      const path = objectPath(SECRETS, ref);
      return cachedSecretMetaOf(
        await client.request<KubeObject>({ verb: 'get', path, accept: METADATA_ONLY, signal }),
      );
    } catch (error) {
      if (isNotFound(error)) return undefined;
      throw error;
    }
  };
