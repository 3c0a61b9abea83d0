import type { OAuthClient } from '../api/oauth-client.ts';
import type { SigningKey } from '../api/signing-key.ts';
import type { Token } from '../api/token.ts';
import type { Config } from '../config/schema.ts';
import type { CachedNamespace } from '../domain/cached-namespace.ts';
import { COMPROMISED_KEYS_CONFIG_MAP } from '../domain/key/compromised-keys.ts';
import { WATCH_SELECTORS, watchedBy } from '../domain/own-mark.ts';
import { type CachedIssuedToken, ISSUED_INDEXERS } from '../domain/record/cached-issued-token.ts';
import { BATCH_INDEXERS, type CachedTokenBatch } from '../domain/record/cached-token-batch.ts';
import type { KubeClient } from '../kube/client.ts';
import {
  listWatchClients,
  listWatchIssuedTokens,
  listWatchNamespaces,
  listWatchObjects,
  listWatchSecretMeta,
  listWatchSigningKeys,
  listWatchTokenBatches,
  listWatchTokens,
  type Selection,
} from '../kube/list-watch.ts';
import { CONFIG_MAPS } from '../kube/resource-client.ts';
import type { Cacheable, Indexers, WritableCache } from '../ports/cache.ts';
import type { ConfigMap } from '../ports/config-maps.ts';
import type { SecretMeta } from '../ports/secrets.ts';
import type { ListWatch } from '../ports/watch.ts';
import { clientIndexers } from '../reconcilers/oauth-client/client-indexes.ts';
import { SECRET_INDEXERS, TOKEN_INDEXERS } from '../reconcilers/token/token-triggers.ts';
import { Informer, type InformerSource, type ReflectorSurroundings } from '../runtime/informer.ts';
import { NamedSecretWatches } from '../runtime/named-secrets.ts';
import { NamespaceAccess } from '../runtime/namespace-access.ts';
import { uniteCaches } from '../runtime/united-cache.ts';

/** What the operator watches. */
export interface Informers {
  readonly tokens: Informer<Token>;
  /** Of issued tokens. */
  readonly issued: Informer<CachedIssuedToken>;
  /** Of tokens that were issued together. */
  readonly batches: Informer<CachedTokenBatch>;
  readonly clients: Informer<OAuthClient>;
  readonly signingKeys: Informer<SigningKey>;
  /** Those that the operator made, metadata alone. */
  readonly secrets: Informer<SecretMeta>;
  /** Those that versions without the label `m2moauth.dev/own-name` made, until they are written next. */
  readonly earlierSecrets: Informer<SecretMeta>;
  /** Those that the operator made, in its own namespace. */
  readonly configMaps: Informer<ConfigMap>;
  /** Likewise those of versions without the label. */
  readonly earlierConfigMaps: Informer<ConfigMap>;
  /** The one with the compromised keys, by its name: whoever changes its labels must not make replicas forget them. */
  readonly compromisedKeys: Informer<ConfigMap>;
  /** For their labels. */
  readonly namespaces: Informer<CachedNamespace>;
}

const OURS: Selection = { labelSelector: WATCH_SELECTORS.OwnName };
/** The label of earlier versions is one that others set too, so it is not what the operator's objects are known by. */
const EARLIER: Selection = { labelSelector: WATCH_SELECTORS.ManagedBy };

const unite = <T extends Cacheable>(own: Informer<T>, earlier: Informer<T>): WritableCache<T> =>
  uniteCaches({
    first: own.cache,
    second: earlier.cache,
    cacheOf: ({ metadata }) => {
      const label = watchedBy(metadata);
      return label && (label === 'OwnName' ? 'first' : 'second');
    },
  });

/** The Secrets that the operator made, of whatever version. */
export const secretsOf = ({ secrets, earlierSecrets }: Pick<Informers, 'secrets' | 'earlierSecrets'>) =>
  unite(secrets, earlierSecrets);

/** The ConfigMaps that the operator made, of whatever version. */
export const configMapsOf = ({
  configMaps,
  earlierConfigMaps,
}: Pick<Informers, 'configMaps' | 'earlierConfigMaps'>) => unite(configMaps, earlierConfigMaps);

/** The informers, and which of the watched namespaces they can't watch. */
interface Watching {
  readonly informers: Informers;
  readonly access: NamespaceAccess;
}

/** One source for each namespace, or one for all. */
const inEach = <T>(
  namespaces: readonly string[],
  access: NamespaceAccess,
  listWatch: (selection: Selection) => ListWatch<T>,
  what?: string,
): InformerSource<T>[] => {
  if (namespaces.length === 0) return [{ listWatch: listWatch({}) }];
  return namespaces.map((namespace) => {
    const source = listWatch({ namespace });
    return { namespace, listWatch: source, access: access.of(namespace, what ?? source.resource) };
  });
};

/** What informers are built with. */
type InformerSurroundings = ReflectorSurroundings & {
  readonly isOfAnother?: (client: OAuthClient) => boolean;
};

/**
 * Builds every informer; Tokens, clients and Secrets in the watched namespaces, keys in the operator's own, which is required.
 * `isOfAnother` says which clients belong to other issuers; absent: none.
 */
export const buildInformers = (
  { namespace, watchNamespaces }: Pick<Config['kubernetes'], 'namespace' | 'watchNamespaces'>,
  client: KubeClient,
  { isOfAnother, ...watching }: InformerSurroundings,
): Watching => {
  const withOwn = watchNamespaces.length === 0 ? [] : [...new Set([...watchNamespaces, namespace])];
  const build = <T extends Cacheable>(
    name: string,
    sources: readonly InformerSource<T>[],
    indexers: Indexers<T> = {},
  ): Informer<T> => new Informer<T>({ ...watching, name, sources, indexers });
  const namespaces = build<CachedNamespace>('namespaces', [{ listWatch: listWatchNamespaces(client) }]);
  const access = new NamespaceAccess({
    namespaces: watchNamespaces.filter((name) => name !== namespace),
    exists: (name) => !namespaces.cache.synced || namespaces.cache.get(name) !== undefined,
    log: watching.log,
  });
  const inWatched = <T>(listWatch: (client: KubeClient, selection: Selection) => ListWatch<T>) =>
    inEach(watchNamespaces, access, (selection) => listWatch(client, selection));
  const secretsBy = (label: Selection, what: string): Informer<SecretMeta> => {
    const listWatch = (selection: Selection) => listWatchSecretMeta(client, { ...label, ...selection });
    return build('secrets', inEach(withOwn, access, listWatch, what), SECRET_INDEXERS);
  };
  const configMapsBy = (selection: Selection): Informer<ConfigMap> =>
    build('configmaps', [
      { namespace, listWatch: listWatchObjects<ConfigMap>(client, CONFIG_MAPS, { ...selection, namespace }) },
    ]);
  const informers = {
    tokens: build('tokens', inWatched(listWatchTokens), TOKEN_INDEXERS),
    issued: build('issuedtokens', inWatched(listWatchIssuedTokens), ISSUED_INDEXERS),
    batches: build('tokenbatches', inWatched(listWatchTokenBatches), BATCH_INDEXERS),
    clients: build('oauthclients', inWatched(listWatchClients), clientIndexers(isOfAnother)),
    signingKeys: build('signingkeys', [
      { namespace, listWatch: listWatchSigningKeys(client, { namespace }) },
    ]),
    secrets: secretsBy(OURS, 'secrets'),
    earlierSecrets: secretsBy(EARLIER, 'secrets of earlier versions'),
    configMaps: configMapsBy(OURS),
    earlierConfigMaps: configMapsBy(EARLIER),
    compromisedKeys: configMapsBy({ fieldSelector: `metadata.name=${COMPROMISED_KEYS_CONFIG_MAP}` }),
    namespaces,
  };
  return { informers, access };
};

/** Where records can be: in each watched namespace that is not gone, or in all. */
export const scopesOf = (
  watchNamespaces: readonly string[],
  access: NamespaceAccess,
): readonly Pick<Selection, 'namespace'>[] =>
  watchNamespaces.length === 0
    ? [{}]
    : watchNamespaces.filter((name) => !access.isGone(name)).map((namespace) => ({ namespace }));

/** Builds the watches of Secrets that resources name. */
export const watchNamed = (client: KubeClient, watching: ReflectorSurroundings): NamedSecretWatches =>
  new NamedSecretWatches({
    ...watching,
    sourceOf: ({ namespace, name }) =>
      listWatchSecretMeta(client, { namespace, fieldSelector: `metadata.name=${name}` }),
  });
