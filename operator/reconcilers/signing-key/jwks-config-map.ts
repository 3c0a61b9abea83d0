import { API_VERSION, MANAGED_BY_LABEL, MANAGER } from '../../api/meta.ts';
import type { SigningKey } from '../../api/signing-key.ts';
import type { Jwks } from '../../domain/key/jwks.ts';
import type { WritableCache } from '../../ports/cache.ts';
import type { ConfigMap } from '../../ports/config-maps.ts';
import { isAlreadyExists, isNotFound, type ResourceClient } from '../../ports/kube.ts';

/** Where the key set is kept for workloads that verify offline. */
export interface JwksSinks {
  /** Those that the operator made, in its namespace. */
  readonly configMaps: WritableCache<ConfigMap>;
  readonly configMapClient: Pick<ResourceClient<ConfigMap>, 'get' | 'create' | 'update' | 'delete'>;
}

/** Data key of the key set (spec §2.5). */
const JWKS_KEY = 'jwks.json';
const SUFFIX = '-jwks';

/** The name of a SigningKey's ConfigMap. */
export const configMapNameOf = (signingKey: string): string => `${signingKey}${SUFFIX}`;

/** The SigningKey whose ConfigMap has that name. */
export const signingKeyOfConfigMap = (name: string): string | undefined =>
  name.endsWith(SUFFIX) ? name.slice(0, -SUFFIX.length) : undefined;

/** Whether a ConfigMap for the key set, as it was last seen or written, holds the key. */
export const holdsKid = (configMap: ConfigMap | undefined, kid: string): boolean => {
  try {
    const jwks = JSON.parse(configMap?.data?.[JWKS_KEY] ?? '{}') as Partial<Jwks> | null;
    return Array.isArray(jwks?.keys) && jwks.keys.some((key) => key?.kid === kid);
  } catch {
    return false;
  }
};

const ownerOf = ({ metadata }: SigningKey) => ({
  apiVersion: API_VERSION,
  kind: 'SigningKey',
  name: metadata.name,
  uid: metadata.uid,
  controller: true,
});

const isOwn = ({ metadata }: ConfigMap, signingKey: SigningKey): boolean =>
  metadata.labels?.[MANAGED_BY_LABEL] === MANAGER ||
  (metadata.ownerReferences?.some(({ uid }) => uid === signingKey.metadata.uid) ?? false);

const isAsWanted = ({ metadata, data }: ConfigMap, signingKey: SigningKey, text: string): boolean =>
  data?.[JWKS_KEY] === text &&
  metadata.labels?.[MANAGED_BY_LABEL] === MANAGER &&
  (metadata.ownerReferences?.some(({ uid }) => uid === signingKey.metadata.uid) ?? false);

interface Wanted {
  readonly signingKey: SigningKey;
  readonly text: string;
  readonly signal: AbortSignal;
}

const create = async (
  sinks: JwksSinks,
  { signingKey, text, signal }: Wanted,
): Promise<ConfigMap | undefined> => {
  const { namespace, name } = signingKey.metadata;
  const metadata = {
    namespace,
    name: configMapNameOf(name),
    labels: { [MANAGED_BY_LABEL]: MANAGER },
    ownerReferences: [ownerOf(signingKey)],
  };
  try {
    const object = { apiVersion: 'v1', kind: 'ConfigMap', metadata, data: { [JWKS_KEY]: text } } as const;
    sinks.configMaps.putIfNewer(await sinks.configMapClient.create(object, { signal }));
    return undefined;
  } catch (error) {
    if (!isAlreadyExists(error)) throw error;
    // The label was removed, so that the watch does not see it; or it is not the operator's.
    return sinks.configMapClient.get(metadata, { signal });
  }
};

const putBack = async (sinks: JwksSinks, found: ConfigMap, wanted: Wanted): Promise<void> => {
  const { signingKey, text, signal } = wanted;
  const { metadata } = found;
  if (found.immutable) {
    const { uid, resourceVersion } = metadata;
    await sinks.configMapClient.delete(metadata, { uid, resourceVersion }, { signal });
    sinks.configMaps.forget(`${metadata.namespace}/${metadata.name}`, uid);
    await create(sinks, wanted);
    return;
  }
  const others = (metadata.ownerReferences ?? []).filter(({ controller }) => controller !== true);
  const changed: ConfigMap = {
    ...found,
    metadata: {
      ...metadata,
      labels: { ...metadata.labels, [MANAGED_BY_LABEL]: MANAGER },
      ownerReferences: [...others, ownerOf(signingKey)],
    },
    data: { ...found.data, [JWKS_KEY]: text },
  };
  sinks.configMaps.putIfNewer(await sinks.configMapClient.update(changed, { signal }));
};

/**
 * Writes the key set to the ConfigMap `<name>-jwks`, as one line of JSON in a stable order; what others added to it stays.
 * False if the operator does not own a ConfigMap of that name: it is left alone.
 * @throws ApiError on a conflict and on what the API server could not do
 */
export const applyJwks = async (
  sinks: JwksSinks,
  { signingKey, jwks, signal }: { signingKey: SigningKey; jwks: Jwks; signal: AbortSignal },
): Promise<boolean> => {
  const { namespace, name } = signingKey.metadata;
  const wanted = { signingKey, text: JSON.stringify(jwks), signal };
  const found =
    sinks.configMaps.get(`${namespace}/${configMapNameOf(name)}`) ?? (await create(sinks, wanted));
  if (!found || isAsWanted(found, signingKey, wanted.text)) return true;
  if (!isOwn(found, signingKey)) return false;
  try {
    await putBack(sinks, found, wanted);
  } catch (error) {
    // Deleted since it was seen: the watch brings the pass back.
    if (!isNotFound(error)) throw error;
  }
  return true;
};
