import type { SigningKey } from '../../api/signing-key.ts';
import type { Jwks } from '../../domain/key/jwks.ts';
import {
  controllerOf,
  controllerReferenceTo,
  type MadeFor,
  markingOf,
  ownAnnotationsOf,
  ownLabelsOf,
  withController,
} from '../../domain/own-mark.ts';
import type { WritableCache } from '../../ports/cache.ts';
import type { ConfigMap } from '../../ports/config-maps.ts';
import { deleteForSuccessor, isAlreadyExists, isNotFound, type ResourceClient } from '../../ports/kube.ts';

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

const madeFor = ({ metadata }: SigningKey): MadeFor => ({ kind: 'SigningKey', name: metadata.name });

const ownerOf = (signingKey: SigningKey) =>
  controllerReferenceTo(madeFor(signingKey), signingKey.metadata.uid);

const isControlled = ({ metadata }: ConfigMap, signingKey: SigningKey): boolean =>
  metadata.ownerReferences?.some(({ uid }) => uid === signingKey.metadata.uid) ?? false;

/**
 * Whether the operator made the ConfigMap for the SigningKey: the SigningKey owns it; or no other resource controls it, as after a
 * restore from a backup, and its marks say so. The label of versions before them counts if it holds one of the keys.
 */
const isOwn = (configMap: ConfigMap, { signingKey, jwks }: Wanted): boolean => {
  const { metadata } = configMap;
  if (isControlled(configMap, signingKey)) return true;
  // It would go with a SigningKey that is being deleted, also by `kubectl delete --cascade=orphan`.
  if (signingKey.metadata.deletionTimestamp !== undefined) return false;
  const controller = controllerOf(metadata.ownerReferences);
  const { apiVersion, kind, name } = ownerOf(signingKey);
  const isPredecessor =
    controller?.apiVersion === apiVersion && controller.kind === kind && controller.name === name;
  if (controller !== undefined && !isPredecessor) return false;
  const marking = markingOf(metadata, madeFor(signingKey));
  return (
    marking === 'Own' ||
    (marking === 'Legacy' && jwks.keys.some(({ kid }) => holdsKid(configMap, String(kid))))
  );
};

const isAsWanted = (configMap: ConfigMap, { signingKey, text }: Wanted): boolean => {
  const marking = markingOf(configMap.metadata, madeFor(signingKey));
  return (
    configMap.data?.[JWKS_KEY] === text &&
    (marking === 'Own' || marking === 'Legacy') &&
    isControlled(configMap, signingKey)
  );
};

interface Wanted {
  readonly signingKey: SigningKey;
  readonly jwks: Jwks;
  /** The key set as it is stored. */
  readonly text: string;
  readonly signal: AbortSignal;
}

const create = async (
  sinks: JwksSinks,
  { signingKey, text, signal }: Wanted,
): Promise<ConfigMap | undefined> => {
  const { namespace } = signingKey.metadata;
  const name = configMapNameOf(signingKey.metadata.name);
  const metadata = {
    namespace,
    name,
    labels: ownLabelsOf(name),
    annotations: ownAnnotationsOf(name, madeFor(signingKey)),
    ownerReferences: [ownerOf(signingKey)],
  };
  try {
    const object = { apiVersion: 'v1', kind: 'ConfigMap', metadata, data: { [JWKS_KEY]: text } } as const;
    sinks.configMaps.putIfNewer(await sinks.configMapClient.create(object, { signal }));
    return undefined;
  } catch (error) {
    if (!isAlreadyExists(error)) throw error;
    // The labels were removed, so that the watch does not see it; or it is not the operator's.
    return sinks.configMapClient.get(metadata, { signal });
  }
};

const putBack = async (sinks: JwksSinks, found: ConfigMap, wanted: Wanted): Promise<void> => {
  const { signingKey, text, signal } = wanted;
  const { metadata } = found;
  const changed: ConfigMap = {
    ...found,
    metadata: {
      ...metadata,
      labels: { ...metadata.labels, ...ownLabelsOf(metadata.name) },
      annotations: { ...metadata.annotations, ...ownAnnotationsOf(metadata.name, madeFor(signingKey)) },
      ownerReferences: withController(metadata.ownerReferences, ownerOf(signingKey)),
    },
    data: { ...found.data, [JWKS_KEY]: text },
  };
  if (!found.immutable) {
    sinks.configMaps.putIfNewer(await sinks.configMapClient.update(changed, { signal }));
    return;
  }
  const successor = await deleteForSuccessor(sinks.configMapClient, changed, signal);
  sinks.configMaps.forget(`${metadata.namespace}/${metadata.name}`, metadata.uid);
  sinks.configMaps.putIfNewer(await sinks.configMapClient.create(successor, { signal }));
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
  const wanted = { signingKey, jwks, text: JSON.stringify(jwks), signal };
  const found =
    sinks.configMaps.get(`${namespace}/${configMapNameOf(name)}`) ?? (await create(sinks, wanted));
  if (!found || isAsWanted(found, wanted)) return true;
  if (!isOwn(found, wanted)) return false;
  try {
    await putBack(sinks, found, wanted);
  } catch (error) {
    // Deleted since it was seen: the watch brings the pass back.
    if (!isNotFound(error)) throw error;
  }
  return true;
};
