import type { KubeObject } from '../api/meta.ts';
import { heldMetadata } from './held-metadata.ts';

/** The most labels of a namespace that count. */
const MAX_LABELS = 256;

/** What caches hold of a Namespace: what label selectors are matched against, and whether it is being deleted. */
export interface CachedNamespace extends KubeObject {
  /** Its labels are not held, since they are too many: no selector can be matched against it. */
  readonly hasTooManyLabels: boolean;
}

/** The {@link CachedNamespace} of a Namespace's metadata. */
export const cachedNamespaceOf = ({ metadata }: KubeObject): CachedNamespace => {
  const { labels } = metadata;
  const hasTooManyLabels = Object.keys(labels ?? {}).length > MAX_LABELS;
  return {
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { ...heldMetadata(metadata), ...(labels && !hasTooManyLabels && { labels }) },
    hasTooManyLabels,
  };
};
