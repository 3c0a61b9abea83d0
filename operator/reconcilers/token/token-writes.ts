import { keyOf } from '../../api/meta.ts';
import type { Token, TokenStatus } from '../../api/token.ts';
import type { WritableCache } from '../../ports/cache.ts';
import { deleteIfPresent, isNotFound, type ResourceClient } from '../../ports/kube.ts';
import type { SecretSinks } from './secret-writes.ts';

/** What a Token's plan is written to. The caches learn of a write before their watches do. */
export interface TokenSinks extends SecretSinks {
  readonly tokens: WritableCache<Token>;
  readonly tokenClient: Pick<ResourceClient<Token>, 'updateStatus' | 'delete'>;
  /** Whole Tokens: a Secret gets annotations of which caches hold digests only. */
  readonly wholeTokenClient: Pick<ResourceClient<Token>, 'get'>;
}

/**
 * Replaces a Token's status, on the uid and resourceVersion that were read. Returns false if the Token is gone.
 * @throws ApiError on a conflict or any other failure
 */
export const writeStatus = async (
  sinks: TokenSinks,
  { metadata }: Token,
  status: TokenStatus,
  signal: AbortSignal,
): Promise<boolean> => {
  const { name, namespace, uid, resourceVersion } = metadata;
  try {
    const updated = await sinks.tokenClient.updateStatus(
      { metadata: { name, namespace, uid, resourceVersion }, status },
      { signal },
    );
    sinks.tokens.putIfNewer(updated);
    return true;
  } catch (error) {
    if (isNotFound(error)) return false;
    throw error;
  }
};

/**
 * Deletes a Token on uid and resourceVersion; Kubernetes' garbage collector deletes its Secret. Does nothing if it is gone.
 * @throws ApiError on a conflict or any other failure
 */
export const deleteToken = async (sinks: TokenSinks, token: Token, signal: AbortSignal): Promise<void> => {
  const { uid, resourceVersion } = token.metadata;
  await deleteIfPresent(sinks.tokenClient.delete(token.metadata, { uid, resourceVersion }, { signal }));
  sinks.tokens.forget(keyOf(token.metadata), uid);
};
