import { MANAGED_BY_LABEL, MANAGER } from '../../../operator/api/meta.ts';
import type { SigningKey } from '../../../operator/api/signing-key.ts';
import type { Token } from '../../../operator/api/token.ts';
import {
  type CachedIssuedToken,
  ISSUED_INDEXERS,
} from '../../../operator/domain/record/cached-issued-token.ts';
import {
  listWatchIssuedTokens,
  listWatchObjects,
  listWatchSecretMeta,
} from '../../../operator/kube/list-watch.ts';
import { CONFIG_MAPS, SIGNING_KEYS, TOKENS } from '../../../operator/kube/resource-types.ts';
import { systemClock } from '../../../operator/ops/system-clock.ts';
import type { ConfigMap } from '../../../operator/ports/config-maps.ts';
import type { SecretMeta } from '../../../operator/ports/secrets.ts';
import { TOKEN_INDEXERS } from '../../../operator/reconcilers/token/token-indexes.ts';
import { Informer } from '../../../operator/runtime/informer.ts';
import { NamedSecretWatches } from '../../../operator/runtime/named-secrets.ts';
import type { TestKube } from '../../support/kube.ts';

/** What the reconciler of SigningKeys watches, of one namespace, not yet started. */
export const buildCaches = ({ client, log, metrics }: TestKube, namespace: string) => {
  const around = { clock: systemClock, random: Math.random, log, metrics };
  const own = { namespace, labelSelector: `${MANAGED_BY_LABEL}=${MANAGER}` };
  return {
    around,
    signingKeys: new Informer<SigningKey>({
      ...around,
      name: 'signingkeys',
      sources: [{ namespace, listWatch: listWatchObjects<SigningKey>(client, SIGNING_KEYS, { namespace }) }],
    }),
    tokens: new Informer<Token>({
      ...around,
      name: 'tokens',
      sources: [{ namespace, listWatch: listWatchObjects<Token>(client, TOKENS, { namespace }) }],
      indexers: TOKEN_INDEXERS,
    }),
    records: new Informer<CachedIssuedToken>({
      ...around,
      name: 'issuedtokens',
      sources: [{ namespace, listWatch: listWatchIssuedTokens(client, { namespace }) }],
      indexers: ISSUED_INDEXERS,
    }),
    secrets: new Informer<SecretMeta>({
      ...around,
      name: 'secrets',
      sources: [{ namespace, listWatch: listWatchSecretMeta(client, own) }],
    }),
    configMaps: new Informer<ConfigMap>({
      ...around,
      name: 'configmaps',
      sources: [{ namespace, listWatch: listWatchObjects<ConfigMap>(client, CONFIG_MAPS, own) }],
    }),
    named: new NamedSecretWatches({
      ...around,
      sourceOf: (ref) =>
        listWatchSecretMeta(client, { namespace: ref.namespace, fieldSelector: `metadata.name=${ref.name}` }),
    }),
  };
};
