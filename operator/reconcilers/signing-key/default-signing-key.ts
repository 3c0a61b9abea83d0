import { API_VERSION } from '../../api/meta.ts';
import type { SigningKey, SigningKeySpec } from '../../api/signing-key.ts';
import type { WritableCache } from '../../ports/cache.ts';
import { isAlreadyExists, isForbidden, isRejected, type ResourceClient } from '../../ports/kube.ts';
import type { Log } from '../../ports/log.ts';

/** The SigningKey that the operator creates, from its configuration. */
export interface DefaultSigningKey {
  readonly name: string;
  readonly spec: SigningKeySpec;
}

interface Options {
  readonly namespace: string;
  readonly signingKeys: WritableCache<SigningKey>;
  readonly signingKeyClient: Pick<ResourceClient<SigningKey>, 'create'>;
  readonly log: Log;
}

/**
 * Creates the default SigningKey. While Secrets with keys of it exist it is not new: it was deleted, or a backup is being restored,
 * and whoever applies it again decides about its `spec`.
 * @returns false if it could not be created, and trying again at once would not change that
 * @throws ApiError if the API server fails
 */
export const createDefaultSigningKey = async (
  { namespace, signingKeys, signingKeyClient, log }: Options,
  {
    defaultKey: { name, spec },
    keySecrets,
    signal,
  }: { defaultKey: DefaultSigningKey; keySecrets: number; signal: AbortSignal },
): Promise<boolean> => {
  if (keySecrets > 0) {
    log.warn(
      'the default SigningKey does not exist, but Secrets with its keys do: apply it again to use them',
      {
        name,
        keySecrets,
      },
    );
    return false;
  }
  try {
    const object = {
      apiVersion: API_VERSION,
      kind: 'SigningKey',
      metadata: { namespace, name },
      spec,
    } as const;
    signingKeys.putIfNewer(await signingKeyClient.create(object, { signal }));
    log.info('the default SigningKey was created', { name });
  } catch (error) {
    if (isRejected(error)) {
      const remedy = isForbidden(error)
        ? "grant create of signingkeys in the operator's namespace, or check its quotas and admission policies"
        : 'correct signingKey.spec in the configuration';
      log.error(`the default SigningKey was rejected: ${remedy}`, { name, error });
      return false;
    }
    if (!isAlreadyExists(error)) throw error;
  }
  return true;
};
