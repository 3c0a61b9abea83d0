import type { Cacheable } from '../ports/cache.ts';

/** The key of an object: `namespace/name`, or the name where it has no namespace. */
export const cacheKeyOf = ({ metadata }: Cacheable): string =>
  metadata.namespace ? `${metadata.namespace}/${metadata.name}` : metadata.name;
