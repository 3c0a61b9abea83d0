import { randomUUID } from 'node:crypto';
import type { ApiServer, StoredObject } from './api-server.ts';

/** A copy of an IssuedToken under another name, as a create takes it. */
const copyOf = ({ apiVersion, kind, metadata, spec }: StoredObject): object => {
  const { namespace, labels } = metadata as StoredObject['metadata'] & { readonly labels?: object };
  return { apiVersion, kind, metadata: { name: randomUUID(), namespace, ...(labels && { labels }) }, spec };
};

/** One create of a copy of an IssuedToken, as the bare loops make it; the stored object. */
export const createCopy = (server: Pick<ApiServer, 'write'>, sample: StoredObject): Promise<StoredObject> => {
  const path = `/apis/${sample.apiVersion}/namespaces/${sample.metadata.namespace}/issuedtokens`;
  return server.write('POST', `${path}?fieldManager=bare&fieldValidation=Strict`, copyOf(sample));
};
