import { MANAGED_BY_LABEL, MANAGER } from '../api/meta.ts';
import type { OAuthClient } from '../api/oauth-client.ts';
import type { SigningKey } from '../api/signing-key.ts';
import type { Token } from '../api/token.ts';
import type { Config } from '../config/schema.ts';
import type { CachedNamespace } from '../domain/cached-namespace.ts';
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
import type { Cacheable, Indexers } from '../ports/cache.ts';
import type { ConfigMap } from '../ports/config-maps.ts';
import type { SecretMeta } from '../ports/secrets.ts';
import type { ListWatch } from '../ports/watch.ts';
import { CLIENT_INDEXERS } from '../reconcilers/oauth-client/client-indexes.ts';
import { SECRET_INDEXERS, TOKEN_INDEXERS } from '../reconcilers/token/token-triggers.ts';
import { Informer, type InformerSource, type ReflectorSurroundings } from '../runtime/informer.ts';
import { NamedSecretWatches } from '../runtime/named-secrets.ts';

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
  /** Those that the operator made, in its own namespace. */
  readonly configMaps: Informer<ConfigMap>;
  /** For their labels. */
  readonly namespaces: Informer<CachedNamespace>;
}

const OURS: Selection = { labelSelector: `${MANAGED_BY_LABEL}=${MANAGER}` };

const inEach = <T>(
  namespaces: readonly string[],
  listWatch: (selection: Selection) => ListWatch<T>,
): InformerSource<T>[] =>
  namespaces.length === 0
    ? [{ listWatch: listWatch({}) }]
    : namespaces.map((namespace) => ({ namespace, listWatch: listWatch({ namespace }) }));

/** Builds every informer; Tokens, clients and Secrets in the watched namespaces, keys in the operator's own. */
export const buildInformers = (
  { namespace, watchNamespaces }: Pick<Config['kubernetes'], 'namespace' | 'watchNamespaces'>,
  client: KubeClient,
  watching: ReflectorSurroundings,
): Informers => {
  const withOwn = watchNamespaces.length === 0 ? [] : [...new Set([...watchNamespaces, namespace])];
  const build = <T extends Cacheable>(
    name: string,
    sources: readonly InformerSource<T>[],
    indexers: Indexers<T> = {},
  ): Informer<T> => new Informer<T>({ ...watching, name, sources, indexers });
  return {
    tokens: build(
      'tokens',
      inEach(watchNamespaces, (selection) => listWatchTokens(client, selection)),
      TOKEN_INDEXERS,
    ),
    issued: build(
      'issuedtokens',
      inEach(watchNamespaces, (selection) => listWatchIssuedTokens(client, selection)),
      ISSUED_INDEXERS,
    ),
    batches: build(
      'tokenbatches',
      inEach(watchNamespaces, (selection) => listWatchTokenBatches(client, selection)),
      BATCH_INDEXERS,
    ),
    clients: build(
      'oauthclients',
      inEach(watchNamespaces, (selection) => listWatchClients(client, selection)),
      CLIENT_INDEXERS,
    ),
    signingKeys: build('signingkeys', [
      { namespace, listWatch: listWatchSigningKeys(client, { namespace }) },
    ]),
    secrets: build(
      'secrets',
      inEach(withOwn, (selection) => listWatchSecretMeta(client, { ...OURS, ...selection })),
      SECRET_INDEXERS,
    ),
    configMaps: build('configmaps', [
      { namespace, listWatch: listWatchObjects<ConfigMap>(client, CONFIG_MAPS, { ...OURS, namespace }) },
    ]),
    namespaces: build('namespaces', [{ listWatch: listWatchNamespaces(client) }]),
  };
};

/** Builds the watches of Secrets that resources name. */
export const watchNamed = (client: KubeClient, watching: ReflectorSurroundings): NamedSecretWatches =>
  new NamedSecretWatches({
    ...watching,
    sourceOf: ({ namespace, name }) =>
      listWatchSecretMeta(client, { namespace, fieldSelector: `metadata.name=${name}` }),
  });
